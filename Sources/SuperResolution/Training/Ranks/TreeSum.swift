import TensorCore

/// A sum over parts 0 ..< count that has the same bits however the parts are spread: it follows one binary tree, in which a node of n parts has the first 2^k < n,
/// as many as there can be, on its left.
///
/// Parts come in order; those whose node is complete are added at once, so that about log₂ count sums are held. Several such sums of neighbouring shares can be
/// joined by adding their ``nodes`` to another.
package struct TreeSum {
    package typealias Node = (parts: Range<Int>, sum: Tensor)

    private let count: Int
    /// What could not be added yet, in order: one node once all parts of `0 ..< count` are there.
    package private(set) var nodes: [Node] = []

    package init(count: Int) { self.count = count }

    /// Adds the sum of parts that are a node of the tree and follow those added before.
    package mutating func add(_ sum: Tensor, of parts: Range<Int>) {
        nodes.append((parts, sum))
        while let last = nodes.last, nodes.count > 1,
            Self.isNode(nodes[nodes.count - 2].parts.lowerBound..<last.parts.upperBound, of: count)
        {
            nodes.removeLast()
            let before = nodes[nodes.count - 1].parts.lowerBound
            nodes[nodes.count - 1].parts = before..<last.parts.upperBound
            nodes[nodes.count - 1].sum.accumulate(last.sum)
        }
    }

    /// The nodes that the parts of a share come to by themselves.
    package static func nodes(of share: Range<Int>, count: Int) -> [Range<Int>] {
        var nodes: [Range<Int>] = []
        for part in share {
            nodes.append(part..<part + 1)
            while nodes.count > 1, isNode(nodes[nodes.count - 2].lowerBound..<part + 1, of: count) {
                nodes.removeLast()
                nodes[nodes.count - 1] = nodes[nodes.count - 1].lowerBound..<part + 1
            }
        }
        return nodes
    }

    /// Whether some parts are all those below a node of the tree.
    private static func isNode(_ parts: Range<Int>, of count: Int) -> Bool {
        var node = 0..<count
        while node != parts {
            guard node.count > 1 else { return false }
            var left = 1
            while 2 * left < node.count { left *= 2 }
            let middle = node.lowerBound + left
            if parts.upperBound <= middle {
                node = node.lowerBound..<middle
            } else if parts.lowerBound >= middle {
                node = middle..<node.upperBound
            } else {
                return false
            }
        }
        return true
    }
}
