import TensorCore

/// A convolution and the gradients of Σ output · cotangent by the definition, in double precision: the sum over every output pixel and every tap that lies
/// inside the image.
struct ConvolutionReference {
    let output, x, weight, bias: Tensor

    init(_ x: Tensor, weight: Tensor, bias: Tensor, cotangent: Tensor, stride: Int, padding: Padding) {
        let (inputs, outputs) = (weight.shape[2], weight.shape[3])
        let (height, width) = (cotangent.shape[1], cotangent.shape[2])
        let (source, kernel, slope) = (x.values.map(Double.init), weight.values.map(Double.init), cotangent.values.map(Double.init))
        var output = (0..<cotangent.count).map { Double(bias.values[$0 % outputs]) }
        var (xGradient, weightGradient) = ([Double](repeating: 0, count: x.count), [Double](repeating: 0, count: weight.count))
        var biasGradient = [Double](repeating: 0, count: outputs)
        for (index, value) in slope.enumerated() { biasGradient[index % outputs] += value }
        // Without checks of bounds, which would take most of the time.
        source.withUnsafeBufferPointer { source in
            kernel.withUnsafeBufferPointer { kernel in
                slope.withUnsafeBufferPointer { slope in
                    output.withUnsafeMutableBufferPointer { output in
                        xGradient.withUnsafeMutableBufferPointer { xGradient in
                            weightGradient.withUnsafeMutableBufferPointer { weightGradient in
                                for pixel in 0..<x.shape[0] * height * width {
                                    let (image, row, column) = (pixel / (height * width), pixel / width % height, pixel % width)
                                    for tap in 0..<weight.shape[0] * weight.shape[1] {
                                        let y = row * stride + tap / weight.shape[1] - padding.top
                                        let z = column * stride + tap % weight.shape[1] - padding.left
                                        guard y >= 0, y < x.shape[1], z >= 0, z < x.shape[2] else { continue }
                                        let from = ((image * x.shape[1] + y) * x.shape[2] + z) * inputs
                                        for input in 0..<inputs {
                                            let weights = (tap * inputs + input) * outputs
                                            let value = source[from + input]
                                            var total = 0.0
                                            for channel in 0..<outputs {
                                                let gradient = slope[pixel * outputs + channel]
                                                output[pixel * outputs + channel] += value * kernel[weights + channel]
                                                total += gradient * kernel[weights + channel]
                                                weightGradient[weights + channel] += gradient * value
                                            }
                                            xGradient[from + input] += total
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        func tensor(_ values: [Double], _ shape: [Int]) -> Tensor { Tensor(shape: shape, values: values.map { Float($0) }) }
        self.output = tensor(output, cotangent.shape)
        self.x = tensor(xGradient, x.shape)
        self.weight = tensor(weightGradient, weight.shape)
        self.bias = tensor(biasGradient, bias.shape)
    }
}
