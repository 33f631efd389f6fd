"""The words of the service in plain Python: no Flask, no SQL, no ONNX, no AWS."""
