import CFFTW
import Foundation
import Synchronization

/// The discrete Fourier transform of a real image, as FFTW computes it (Frigo & Johnson 2005, Proc. IEEE 93, 216): unnormalised, F(k, l) = Σ f(x, y)
/// e^{−2πi(kx/W + ly/H)}.
///
/// Only the half with k = 0 … W/2 is stored; the rest is its conjugate: F(W − k, H − l) = F(k, l)*.
package struct FourierTransform: Sendable {
    /// Size of the image.
    package let width: Int, height: Int
    /// `height` rows of `width / 2 + 1` coefficients, real and imaginary part in turn; row l is the vertical frequency l / height, beyond the middle
    /// l / height − 1.
    package private(set) var coefficients: [Double]

    package var halfWidth: Int { width / 2 + 1 }

    /// Transforms `values`, `height` rows of `width`.
    /// - Precondition: their number is `width * height`, both at least 1.
    package init(of values: [Double], width: Int, height: Int) {
        precondition(width > 0 && height > 0 && values.count == width * height, "the transform of \(width) × \(height) got \(values.count) values")
        self.width = width
        self.height = height
        coefficients = [Double](repeating: 0, count: height * (width / 2 + 1) * 2)
        let plan = Plans.plan(width: width, height: height, isForward: true)
        var values = values
        values.withUnsafeMutableBufferPointer { input in
            coefficients.withUnsafeMutableBytes { output in
                fftw_execute_dft_r2c(plan.pointer, input.baseAddress, output.bindMemory(to: fftw_complex.self).baseAddress)
            }
        }
    }

    /// The real values that this is the transform of.
    package func inverse() -> [Double] {
        var values = [Double](repeating: 0, count: width * height)
        var coefficients = coefficients  // FFTW uses its input as scratch space here
        let plan = Plans.plan(width: width, height: height, isForward: false)
        coefficients.withUnsafeMutableBytes { input in
            values.withUnsafeMutableBufferPointer { output in
                fftw_execute_dft_c2r(plan.pointer, input.bindMemory(to: fftw_complex.self).baseAddress, output.baseAddress)
            }
        }
        let scale = 1 / Double(width * height)
        for index in values.indices { values[index] *= scale }
        return values
    }

    /// Multiplies each coefficient by the gain at its distance from zero frequency in cycles per pixel.
    package mutating func scale(by gain: (_ frequency: Double) -> Double) {
        var gains = [Double](repeating: 0, count: coefficients.count / 2)
        forEachFrequency { index, frequency, _ in gains[index] = gain(frequency) }
        for index in gains.indices {
            coefficients[2 * index] *= gains[index]
            coefficients[2 * index + 1] *= gains[index]
        }
    }

    /// Calls `body` for each stored coefficient.
    /// - Parameters:
    ///   - index: position in pairs: the real part is `coefficients[2 * index]`.
    ///   - frequency: distance from zero frequency in cycles per pixel, 0 to 0.707.
    ///   - multiplicity: how many coefficients of the whole transform it stands for, 1 or 2.
    package func forEachFrequency(_ body: (_ index: Int, _ frequency: Double, _ multiplicity: Double) -> Void) {
        for row in 0..<height {
            let vertical = Double(row <= height / 2 ? row : row - height) / Double(height)
            for column in 0..<halfWidth {
                let horizontal = Double(column) / Double(width)
                let isAlone = column == 0 || (width % 2 == 0 && column == width / 2)
                body(row * halfWidth + column, (horizontal * horizontal + vertical * vertical).squareRoot(), isAlone ? 1 : 2)
            }
        }
    }
}

/// FFTW plans by size. FFTW's planner may be used by one thread at a time only; executing a plan on new arrays is safe for many.
private enum Plans {
    struct Size: Hashable {
        var width: Int, height: Int, isForward: Bool
    }

    /// A plan, never destroyed.
    struct Plan: @unchecked Sendable {
        let pointer: fftw_plan?
    }

    static let plans = Mutex<[Size: Plan]>([:])

    static func plan(width: Int, height: Int, isForward: Bool) -> Plan {
        plans.withLock { plans in
            let size = Size(width: width, height: height, isForward: isForward)
            if let plan = plans[size] { return plan }
            // FFTW_ESTIMATE leaves the arrays alone and gives the same plan, hence the same bits, each time; FFTW_UNALIGNED lets arrays begin
            // anywhere.
            let flags = UInt32(FFTW_ESTIMATE) | UInt32(FFTW_UNALIGNED)
            let real = UnsafeMutablePointer<Double>.allocate(capacity: width * height)
            let complex = UnsafeMutablePointer<fftw_complex>.allocate(capacity: height * (width / 2 + 1))
            defer {
                real.deallocate()
                complex.deallocate()
            }
            let pointer =
                isForward
                ? fftw_plan_dft_r2c_2d(CInt(height), CInt(width), real, complex, flags)
                : fftw_plan_dft_c2r_2d(CInt(height), CInt(width), complex, real, flags)
            let plan = Plan(pointer: pointer)
            plans[size] = plan
            return plan
        }
    }
}
