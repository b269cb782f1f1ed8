import Groundwork
import SolarImage

/// How a result is held to what its input tells.
public enum Consistency: String, Sendable, Codable, CaseIterable {
    /// By what is known of the observation: exact for block means of HMI's field, by ``Kriging`` for MDI's, which are blurred and noisy. A model that was trained on
    /// observations of the instrument knows what they tell, and its result is left as it is.
    case auto
    case off
    /// The result's block means are those of the input, whatever the input is.
    case exact

    /// What the input is held to be; nil if it does not matter.
    /// - Parameters:
    ///   - known: what is known of it.
    ///   - isKnownToModel: whether the model was trained on such observations.
    package func observation(_ known: LinearObservation, isKnownToModel: Bool = false) -> LinearObservation? {
        switch self {
        case .auto: isKnownToModel ? nil : known
        case .off: nil
        case .exact: .exact
        }
    }
}

extension Image {
    /// The image with what the observation tells put in the place of what it tells otherwise.
    ///
    /// A model that was made for exact block means takes its input for that: its result x̃ is K₀ M x̃, the estimate from its own block means M x̃, and detail
    /// that block means do not tell. Here K₀ is ``Kriging`` from exact block means, K that from the observation; x = x̃ + K y − K₀ M x̃ keeps the
    /// detail. Where the observation is exact, K is K₀ and the block means become those of the input: of all changes that do so it is the likeliest by the
    /// spectrum, and smooth. What rounding, and blocks with some pixels of NaN, leave of the difference is then spread evenly over the pixels of each
    /// block.
    ///
    /// - Parameters:
    ///   - low: the low-resolution input in Gauss, smaller by `factor` along both axes. Where it is NaN it tells nothing.
    ///   - observation: how it came about.
    ///   - spectrum: of fields such as this.
    /// - Returns: an image with NaN where this one has it.
    package func consistent(
        with low: Image, by observation: LinearObservation = .exact, spectrum: FieldSpectrum = .activeRegions, factor: Int = 4
    ) -> Image {
        precondition(
            width == low.width * factor && height == low.height * factor,
            "\(width) × \(height) is not \(factor) times \(low.width) × \(low.height)")
        let exact = Kriging(.exact, spectrum: spectrum, factor: factor)
        let isExact = observation == .exact
        /// What block means lack, 0 where there is nothing to compare.
        func residual(_ means: Image) -> Image {
            var result = low
            for index in result.pixels.indices {
                let difference = (isExact ? low.pixels[index] : 0) - means.pixels[index]
                result.pixels[index] = difference.isFinite && low.pixels[index].isFinite ? difference : 0
            }
            return result
        }
        let lacking = residual(blockMean(by: factor))
        if isExact, lacking.pixels.allSatisfy({ $0 == 0 }) { return self }
        var result = self
        result.add(exact.estimate(from: lacking))
        guard isExact else {
            result.add(Kriging(observation, spectrum: spectrum, factor: factor).estimate(from: low))
            return result
        }
        let rest = residual(result.blockMean(by: factor))
        result.add(rest.replicated(by: factor))
        return result
    }

    /// Adds an image of the same size; where that is NaN, nothing.
    private mutating func add(_ other: Image) {
        pixels.withUnsafeMutableBufferPointer { target in
            other.pixels.withUnsafeBufferPointer { source in
                Parallel.forEachBlock(of: source.count, size: 1 << 16) { block in
                    for index in block where !source[index].isNaN { target[index] += source[index] }
                }
            }
        }
    }
}
