import Foundation
import TensorCore

/// The orthonormal cosine transform (DCT-II; Ahmed, Natarajan & Rao 1974, *IEEE Trans. Computers* C-23, 90) of blocks of pixels, each by itself: a field's values
/// in other coordinates, with nothing lost. The first coefficient of a block of n × n pixels is n times its mean; none of the others changes the mean.
package struct BlockTransform: Sendable {
    /// Pixels per side of a block, n.
    package let side: Int
    /// `[side², side²]`: the coefficients of the pixels of a block in rows, as ``pixelUnshuffle(_:factor:)`` orders them.
    private let matrix: [Float]

    /// - Parameter side: at least 1
    package init(side: Int = 4) {
        precondition(side > 0, "blocks of \(side) pixels")
        self.side = side
        func basis(_ frequency: Int, _ position: Int) -> Double {
            let norm = ((frequency == 0 ? 1 : 2) / Double(side)).squareRoot()
            return norm * cos(.pi * Double(frequency) * (Double(position) + 0.5) / Double(side))
        }
        matrix = Self.frequencies(side: side).flatMap { vertical, horizontal in
            (0..<side * side).map { Float(basis(vertical, $0 / side) * basis(horizontal, $0 % side)) }
        }
    }

    /// The coefficients of a block.
    package var count: Int { side * side }

    /// Half periods a block, from coarse to fine: by distance from zero, of equal ones the more horizontal first.
    private static func frequencies(side: Int) -> [(vertical: Int, horizontal: Int)] {
        (0..<side * side).map { ($0 / side, $0 % side) }.sorted {
            ($0.0 * $0.0 + $0.1 * $0.1, $0.0) < ($1.0 * $1.0 + $1.1 * $1.1, $1.0)
        }
    }

    /// - Parameter field: `[batch, height, width, 1]`, height and width multiples of the side
    /// - Returns: coefficients from coarse to fine, `[batch, height / side, width / side, side²]`
    package func callAsFunction(_ field: Tensor) -> Tensor {
        linear(pixelUnshuffle(field, factor: side), weight: Tensor(shape: [count, count], values: matrix))
    }

    /// - Parameter coefficients: the coarsest of each block, `[batch, height, width, channels]`, at most side²; those that lack are 0
    /// - Returns: `[batch, height · side, width · side, 1]`
    package func inverse(_ coefficients: Tensor) -> Tensor {
        let channels = coefficients.extent(-1)
        precondition(channels <= count, "BlockTransform: \(channels) coefficients of a block of \(count) pixels")
        // The inverse of an orthonormal matrix is its transpose.
        let columns = (0..<count).flatMap { pixel in (0..<channels).map { matrix[$0 * count + pixel] } }
        return pixelShuffle(linear(coefficients, weight: Tensor(shape: [count, channels], values: columns)), factor: side)
    }
}
