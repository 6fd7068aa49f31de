"""What interventions are described with: Inpres 3/2022, family functions, target groups, funding sources."""
