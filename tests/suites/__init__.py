"""Coverage measured by suites that other projects wrote. See `python -m tests.suites.onnx_backend --help`."""
