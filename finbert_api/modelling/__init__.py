"""How a model is made: training, export to ONNX, quantisation, parity gate. The only room that sees torch."""
