"""Text to scores: the artifact on disk, its tokenizer, its ONNX Runtime session and the engine."""
