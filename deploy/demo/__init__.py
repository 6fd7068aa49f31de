"""Demonstration district: the 285 real villages of Kabupaten Pekalongan with made-up reports and interventions."""
