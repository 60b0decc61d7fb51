"""Report pages: a folder of HTML and pictures that a browser shows without a network, for people and for paper."""
