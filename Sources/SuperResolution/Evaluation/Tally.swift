/// Counts, sums and sums of squares of a quantity in classes of another, such as errors by field strength. Those of several maps add up.
package struct Tally: Codable, Sendable, Equatable {
    /// The bounds of the classes, one more than there are classes, ascending. A class begins at its lower bound and ends before its upper one.
    package let edges: [Double]
    /// Members of each class.
    package var counts: [Double]
    package var sums: [Double]
    package var squares: [Double]

    /// - Precondition: there are two edges or more.
    package init(edges: [Double]) {
        precondition(edges.count > 1, "a tally needs two edges, not \(edges.count)")
        self.edges = edges
        counts = Array(repeating: 0, count: edges.count - 1)
        (sums, squares) = (counts, counts)
    }

    /// Adds a member to a class.
    package mutating func add(_ value: Double, to index: Int, count: Double = 1) {
        counts[index] += count
        sums[index] += value
        squares[index] += value * value
    }

    /// - Precondition: both have the same edges.
    package static func += (a: inout Tally, b: Tally) {
        precondition(a.edges == b.edges, "tallies of different classes")
        for index in a.counts.indices {
            a.counts[index] += b.counts[index]
            a.sums[index] += b.sums[index]
            a.squares[index] += b.squares[index]
        }
    }

    /// The mean in a class; NaN for an empty one.
    package func mean(_ index: Int) -> Double { sums[index] / counts[index] }
    /// The root of the mean square in a class; NaN for an empty one.
    package func rootMeanSquare(_ index: Int) -> Double { (squares[index] / counts[index]).squareRoot() }
    package func middle(_ index: Int) -> Double { (edges[index] + edges[index + 1]) / 2 }
}

extension [String: Tally] {
    package mutating func add(_ others: [String: Tally]) {
        for (name, tally) in others {
            if self[name] == nil { self[name] = tally } else { self[name]? += tally }
        }
    }
}
