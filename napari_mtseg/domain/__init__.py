"""The nouns of the program: annotation, prediction, settings, events, errors."""
