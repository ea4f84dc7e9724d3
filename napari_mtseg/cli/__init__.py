"""The shell command `mtseg`: a file per subcommand."""
