import TensorCore

/// Regression of mean and spread, and diffusion of the rest (CorrDiff, Mardani et al. 2025, *Communications Earth & Environment* 6, 124), in the coefficients of
/// ``BlockTransform``: one block for each pixel of low resolution, so that networks work at its size and nothing of the field is lost.
///
/// What is estimated are the coefficients of HR − LR↑ in ``LocalUnit``. Where low resolution is the exact mean of every block the first coefficient is 0 and is left
/// out: block means then hold by construction. A network gives mean m and spread s of each coefficient c; what is diffused is the rest (c − m) / s.
package struct CorrDiff {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Whether low resolution is the exact mean of every block.
        package var knowsMeans: Bool
        /// Whether networks are told of a field that it was resampled to a map: of the smallest structure and of the noise it has less than one as observed, which
        /// its block means do not show.
        package var knowsGrid: Bool
        /// Channels of the regression network, and its residual blocks.
        package var width: Int
        package var blocks: Int
        package var unit: LocalUnit
        /// Networks beside the regression network that have each not seen a part of the regions: what is diffused in training is the rest of those (cross-fitting,
        /// Chernozhukov et al. 2018, *The Econometrics Journal* 21, C1), since the rest of what was fitted is too small. 0 in a model that is ready.
        package var folds: Int

        private enum CodingKeys: String, CodingKey {
            case knowsMeans = "knows-means"
            case knowsGrid = "knows-grid"
            case width, blocks, unit, folds
        }

        package init(knowsMeans: Bool, knowsGrid: Bool, width: Int, blocks: Int, unit: LocalUnit = .activeRegions, folds: Int) {
            (self.knowsMeans, self.knowsGrid, self.width, self.blocks, self.unit, self.folds) = (knowsMeans, knowsGrid, width, blocks, unit, folds)
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            self.init(
                knowsMeans: try container.decode(Bool.self, forKey: .knowsMeans),
                // Models of before do not.
                knowsGrid: try container.decodeIfPresent(Bool.self, forKey: .knowsGrid) ?? false,
                width: try container.decode(Int.self, forKey: .width), blocks: try container.decode(Int.self, forKey: .blocks),
                unit: try container.decode(LocalUnit.self, forKey: .unit), folds: try container.decode(Int.self, forKey: .folds))
        }

        /// Coefficients of a block that are estimated.
        package var coefficients: Int { knowsMeans ? CorrDiff.transform.count - 1 : CorrDiff.transform.count }
        /// Channels of what the denoising network is given beside the noisy rest.
        package var conditionChannels: Int { features + 2 * coefficients }
        /// Channels that the networks see of low resolution.
        var features: Int { knowsGrid ? 4 : 3 }
        /// How many pixels of low resolution away one can be felt in mean and spread: one more than in the network, for the unit.
        package var reach: Int { CoefficientNetwork.reach(blocks: blocks) + 1 }

        func check(_ check: Check) throws {
            try check((1...1024).contains(width), "a width of 1 … 1024", width)
            try check((0...64).contains(blocks), "0 … 64 blocks", blocks)
            try check(folds == 0 || (2...16).contains(folds), "0 or 2 … 16 folds", folds)
            try unit.check(check)
        }
    }

    /// What low resolution tells of the coefficients; all `[batch, height, width, …]` of its size.
    package struct Estimate {
        /// What the networks see of low resolution.
        package let features: Tensor
        /// In ``unit``, a channel for each coefficient; the logarithm of the spread likewise.
        package var mean, logSpread: Tensor
        /// Gauss, one channel; and the root mean square around each pixel.
        package let unit, strength: Tensor

        /// What the denoising network is given.
        package var condition: Tensor { concatenate([features, mean, logSpread], axis: -1) }
    }

    package static let transform = BlockTransform(side: 4)
    /// Of the logarithm of the spread: from a thousandth of the unit to fifty times it.
    private static let logSpreads: ClosedRange<Float> = -7...4

    package let configuration: Configuration
    private let regression: CoefficientNetwork
    private let folds: [CoefficientNetwork]

    package init(_ configuration: Configuration, in scope: Scope) {
        self.configuration = configuration
        let (width, blocks, count, features) = (configuration.width, configuration.blocks, configuration.coefficients, configuration.features)
        regression = CoefficientNetwork(features, 2 * count, width: width, blocks: blocks, in: scope / "regression")
        folds = (0..<configuration.folds).map {
            CoefficientNetwork(features, count, width: width, blocks: blocks, in: scope / "folds" / "\($0)")
        }
    }

    /// - Parameters:
    ///   - low: `[batch, height, width, 1]` in Gauss, 0 where there are no data
    ///   - areMaps: of each of the batch, whether it was resampled to a map; heeded by models that know the grid
    package func estimate(_ low: Tensor, areMaps: [Bool]) -> Estimate {
        precondition(areMaps.count == low.shape[0], "\(areMaps.count) grids of \(low.shape[0]) fields")
        let (unit, strength) = configuration.unit(low)
        var channels = [(low / 100).inverseHyperbolicSine(), low / 1000, (unit / configuration.unit.floor).logarithm()]
        if configuration.knowsGrid {
            let count = low.count / max(1, areMaps.count)
            channels.append(Tensor(shape: low.shape, values: areMaps.flatMap { [Float](repeating: $0 ? 1 : -1, count: count) }))
        }
        let features = concatenate(channels, axis: -1)
        let (output, count) = (regression(features), configuration.coefficients)
        return Estimate(
            features: features, mean: output.sliced(axis: -1, range: 0..<count),
            logSpread: output.sliced(axis: -1, range: count..<2 * count).clamped(to: Self.logSpreads), unit: unit, strength: strength)
    }

    /// The mean as the network of a fold has it, which has not seen that fold's regions.
    package func mean(_ features: Tensor, fold: Int) -> Tensor { folds[fold](features) }

    /// The coefficients of HR − LR↑ in Gauss.
    /// - Parameters:
    ///   - high: `[batch, 4 · height, 4 · width, 1]` in Gauss
    ///   - low: `[batch, height, width, 1]`
    /// - Returns: `[batch, height, width, coefficients]`
    package func coefficients(of high: Tensor, beyond low: Tensor) -> Tensor {
        let all = Self.transform(high), count = Self.transform.count
        let rest = all.sliced(axis: -1, range: 1..<count)
        guard !configuration.knowsMeans else { return rest }
        return concatenate([all.sliced(axis: -1, range: 0..<1) - low * Float(Self.transform.side), rest], axis: -1)
    }

    /// The field of coefficients, the reverse of ``coefficients(of:beyond:)``: `[batch, 4 · height, 4 · width, 1]` in Gauss.
    /// - Parameter low: of each of the batch, or one for all.
    package func field(_ coefficients: Tensor, beyond low: Tensor) -> Tensor {
        let means = low * Float(Self.transform.side)
        guard !configuration.knowsMeans else {
            let each = means + Tensor(zeros: coefficients.shape.dropLast() + [1])
            return Self.transform.inverse(concatenate([each, coefficients], axis: -1))
        }
        let first = coefficients.sliced(axis: -1, range: 0..<1) + means
        return Self.transform.inverse(
            concatenate([first, coefficients.sliced(axis: -1, range: 1..<configuration.coefficients)], axis: -1))
    }

    /// ``estimate(_:areMaps:)`` of one large field, so that memory is bounded beyond its result; nil if cancelled.
    package func estimateInTiles(_ low: Tensor, isMap: Bool, isCancelled: () -> Bool) -> Estimate? {
        let (height, width) = (low.shape[1], low.shape[2])
        let condition = LatentTiles.assemble(
            height: height, width: width, size: 256, halo: configuration.reach, factor: 1, channels: configuration.conditionChannels,
            isCancelled: isCancelled
        ) { estimate(low.window($0), areMaps: [isMap]).condition }
        guard let condition else { return nil }
        let (unit, strength) = configuration.unit(low)
        let (features, count) = (configuration.features, configuration.coefficients)
        return Estimate(
            features: condition.sliced(axis: -1, range: 0..<features), mean: condition.sliced(axis: -1, range: features..<features + count),
            logSpread: condition.sliced(axis: -1, range: features + count..<features + 2 * count), unit: unit, strength: strength)
    }
}
