"""Files on disk: images, projects, annotations, runs, models."""
