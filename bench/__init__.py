"""How fast fuel-image is, compared with others."""
