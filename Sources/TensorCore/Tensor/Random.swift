import Groundwork
import VectorKernels

/// Random numbers by counter (Philox4x32-10, Salmon et al. 2011): element `i` of a stream depends on seed, stream and `i` alone,
/// so the same seed gives the same numbers whatever the number of threads, and the state is one number.
public struct Random: Sendable, Codable, Equatable {
    public let seed: UInt64
    /// Streams of one seed are independent of each other.
    public let stream: UInt64
    /// The next element of the stream.
    public private(set) var position: UInt64

    public init(seed: UInt64, stream: UInt64 = 0, position: UInt64 = 0) {
        self.seed = seed
        self.stream = stream
        self.position = position
    }

    /// A stream that belongs to `name`, such as a parameter's: its numbers do not depend on what was drawn before.
    public init(seed: UInt64, name: String) {
        // FNV-1a, 64 bits
        let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        self.init(seed: seed, stream: hash)
    }

    /// Standard normal values.
    public mutating func normal(_ shape: [Int]) -> Tensor { draw(shape, random_normal) }

    /// Some of the standard normal values of a shape, those of a range of its first axis.
    package mutating func normal(_ shape: [Int], rows: Range<Int>) -> Tensor {
        let size = shape.dropFirst().reduce(1, *)
        defer { position += UInt64(shape[0] * size) }
        var part = Random(seed: seed, stream: stream, position: position + UInt64(rows.lowerBound * size))
        return part.normal([rows.count] + shape.dropFirst())
    }

    /// Values in [0, 1).
    public mutating func uniform(_ shape: [Int]) -> Tensor { draw(shape, random_uniform) }

    /// One value in [0, 1).
    public mutating func uniform() -> Float { uniform([]).item }

    /// One of `0 ..< bound`, each as likely as the other to 24 bits.
    public mutating func integer(below bound: Int) -> Int {
        precondition(bound > 0, "integer(below: \(bound))")
        return min(bound - 1, Int(Double(uniform()) * Double(bound)))
    }

    private mutating func draw(_ shape: [Int], _ fill: (UInt64, UInt64, UInt64, Int, UnsafeMutablePointer<Float>?) -> Void) -> Tensor {
        let tensor = Tensor(uninitialized: shape)
        Parallel.forEachBlock(of: tensor.count, size: elementwiseBlock) { block in
            fill(seed, stream, position + UInt64(block.lowerBound), block.count, tensor.pointer + block.lowerBound)
        }
        position += UInt64(tensor.count)
        return tensor
    }
}
