"""Programs that are built from their Go source, once a machine, exactly as a go.sum beside their pins says."""
