"""Language models: what they are asked, what of their answers is used, and their vendors. Only the wiring knows it."""
