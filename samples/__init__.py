"""A small trained model that comes with the package, configs of large ones, and the training."""
