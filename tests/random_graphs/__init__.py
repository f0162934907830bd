"""Random graphs composed of op samples, held against the float64 reference after every step of a conversion."""
