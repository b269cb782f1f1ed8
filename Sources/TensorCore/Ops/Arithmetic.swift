import Groundwork
import VectorKernels

/// Elementwise arithmetic with NumPy's broadcasting.
extension Tensor {
    public static func + (a: Tensor, b: Tensor) -> Tensor {
        Broadcasting.apply(a, b, operation: "+", kernel: vector_add).recorded(from: [a, b]) { gradient, _ in [gradient, gradient] }
    }

    public static func - (a: Tensor, b: Tensor) -> Tensor {
        Broadcasting.apply(a, b, operation: "-", kernel: vector_subtract).recorded(from: [a, b]) { gradient, wanted in
            [gradient, wanted[1] ? -gradient : nil]
        }
    }

    public static func * (a: Tensor, b: Tensor) -> Tensor {
        let (slopeOfA, slopeOfB) = (a.isTracked ? b.detached : nil, b.isTracked ? a.detached : nil)
        return Broadcasting.apply(a, b, operation: "*", kernel: vector_multiply).recorded(from: [a, b]) { gradient, _ in
            [slopeOfA.map { gradient * $0 }, slopeOfB.map { gradient * $0 }]
        }
    }

    public static func / (a: Tensor, b: Tensor) -> Tensor {
        let (divisor, dividend) = (b.detached, b.isTracked ? a.detached : nil)
        return Broadcasting.apply(a, b, operation: "/", kernel: vector_divide).recorded(from: [a, b]) { gradient, _ in
            let quotient = gradient / divisor
            return [quotient, dividend.map { -(quotient * ($0 / divisor)) }]
        }
    }

    public static prefix func - (a: Tensor) -> Tensor { a.affine(scale: -1, shift: 0) }
    public static func + (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1, shift: b) }
    public static func - (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1, shift: -b) }
    public static func * (a: Tensor, b: Float) -> Tensor { a.affine(scale: b, shift: 0) }
    public static func / (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1 / b, shift: 0) }

    /// `self · scale + shift`
    public func affine(scale: Float, shift: Float) -> Tensor {
        elementwise { vector_affine($0, $1, scale, shift, $2) }.recorded(from: [self]) { gradient, _ in
            [gradient.affine(scale: scale, shift: 0)]
        }
    }

    /// `self²`
    public func squared() -> Tensor { self * self }

    /// `|self|`; the gradient at 0 is 0.
    public func absolute() -> Tensor { activation(vector_absolute, gradient: vector_absolute_gradient) }

    /// Values limited to `range`; the gradient passes inside it and at its ends.
    public func clamped(to range: ClosedRange<Float>) -> Tensor {
        let (lower, upper) = (range.lowerBound, range.upperBound)
        return activation({ vector_clamp($0, $1, lower, upper, $2) }, gradient: { vector_clamp_gradient($0, $1, $2, lower, upper, $3) })
    }

    typealias Function = (Int, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?) -> Void
    typealias FunctionGradient = (Int, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?) -> Void

    /// A function of each value.
    func elementwise(_ function: Function) -> Tensor {
        let result = Tensor(uninitialized: shape)
        Parallel.forEachBlock(of: count, size: elementwiseBlock) { block in
            function(block.count, pointer + block.lowerBound, result.pointer + block.lowerBound)
        }
        return result
    }

    /// A function of each value with its derivative times a gradient.
    func activation(_ function: Function, gradient rule: @escaping FunctionGradient) -> Tensor {
        elementwise(function).recorded(from: [self]) { gradient, _ in
            [
                gradient.elementwise { count, values, result in
                    guard let values else { return }
                    let offset = values - UnsafePointer(gradient.pointer)
                    rule(count, self.pointer + offset, values, result)
                }
            ]
        }
    }
}
