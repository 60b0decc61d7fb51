"""What the inside needs from the outside, as protocols. adapters/ meets them; contract tests hold each to one suite."""
