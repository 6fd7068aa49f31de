"""Sessions of people who signed in with a password: what their browser's cookie stands for."""
