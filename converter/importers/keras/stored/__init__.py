"""Files as data: archives, HDF5 and configurations are looked through before Keras sees them."""
