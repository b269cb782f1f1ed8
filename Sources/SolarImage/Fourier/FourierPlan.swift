import CFFTW
import Synchronization

/// How FFTW computes transforms of one kind and size. FFTW's planner may be used by one thread at a time only; executing a plan on new arrays is safe for
/// many.
///
/// A plan is never destroyed.
struct FourierPlan: @unchecked Sendable {
    enum Transform: Hashable {
        /// Of a real image to half of its complex coefficients.
        case image(width: Int, height: Int)
        /// The cosine transform of a line, in place: DCT-II, F(k) = 2 Σ f(x) cos(πk(x + ½)/n).
        case cosine(count: Int)
        /// The inverse of ``cosine(count:)`` times 2n, in place: DCT-III.
        case inverseCosine(count: Int)
    }

    let pointer: fftw_plan?

    private static let plans = Mutex<[Transform: FourierPlan]>([:])

    static func of(_ transform: Transform) -> FourierPlan {
        plans.withLock { plans in
            if let plan = plans[transform] { return plan }
            let plan = FourierPlan(pointer: made(for: transform))
            plans[transform] = plan
            return plan
        }
    }

    private static func made(for transform: Transform) -> fftw_plan? {
        // FFTW_ESTIMATE leaves the arrays alone and gives the same plan, hence the same bits, each time; FFTW_UNALIGNED lets arrays begin anywhere.
        let flags = UInt32(FFTW_ESTIMATE) | UInt32(FFTW_UNALIGNED)
        switch transform {
        case .image(let width, let height):
            let real = UnsafeMutablePointer<Double>.allocate(capacity: width * height)
            let complex = UnsafeMutablePointer<fftw_complex>.allocate(capacity: height * (width / 2 + 1))
            defer {
                real.deallocate()
                complex.deallocate()
            }
            return fftw_plan_dft_r2c_2d(CInt(height), CInt(width), real, complex, flags)
        case .cosine(let count): return line(count, FFTW_REDFT10, flags)
        case .inverseCosine(let count): return line(count, FFTW_REDFT01, flags)
        }
    }

    private static func line(_ count: Int, _ kind: fftw_r2r_kind, _ flags: UInt32) -> fftw_plan? {
        let values = UnsafeMutablePointer<Double>.allocate(capacity: count)
        defer { values.deallocate() }
        return fftw_plan_r2r_1d(CInt(count), values, values, kind, flags)
    }
}
