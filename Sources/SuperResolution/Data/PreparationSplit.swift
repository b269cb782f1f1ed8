import TensorCore

/// Which part each source goes into, whole groups at a time.
package struct PreparationSplit: Sendable {
    /// What belongs together: indices of sources.
    package let groups: [[Int]]
    /// The part of each group.
    package let parts: [PreparationPart]

    private enum Key: Hashable {
        case region(String), month(String), file(Int)
    }

    /// The same sources, shares and seed give the same split.
    package init(_ sources: [PreparationSource], options: PreparationOptions) {
        let keys = sources.map { source -> [Key] in
            let month = source.month.map(Key.month) ?? .file(source.number)
            switch options.splitBy {
            case .region: return source.regions.isEmpty ? [month] : source.regions.map { .region($0.description) }
            case .month: return [month]
            case .file: return [.file(source.number)]
            }
        }
        groups = RegionGroups.groups(keys)
        let weights = groups.map { group in group.reduce(0) { $0 + sources[$1].pixels } }
        parts = Self.allocate(weights, shares: options.split, seed: options.seed).map { PreparationPart.allCases[$0] }
    }

    /// The part of each source.
    package var partOfSource: [Int: PreparationPart] {
        Dictionary(zip(groups, parts).flatMap { group, part in group.map { ($0, part) } }) { first, _ in first }
    }

    /// Deals groups out to parts so that the parts' weights come near their shares.
    ///
    /// In random order, one group goes to each part with a share, the heaviest of these to the largest; each further one to the part that lacks most.
    /// Of many such orders the one that comes nearest is taken.
    /// - Parameters:
    ///   - weights: of each group, above 0
    ///   - shares: of each part, 1 in sum; a part with share 0 gets nothing
    /// - Returns: the index of the part of each group.
    package static func allocate(_ weights: [Int], shares: [Double], seed: UInt64) -> [Int] {
        let total = Double(weights.reduce(0, +))
        let seats = shares.indices.filter { shares[$0] > 0 }.sorted { (-shares[$0], $0) < (-shares[$1], $1) }
        guard let first = seats.first, total > 0 else { return weights.map { _ in 0 } }
        var best = (error: Double.infinity, parts: weights.map { _ in first })
        var random = Random(seed: seed, name: "split")
        for _ in 0..<max(8, min(256, 100_000 / weights.count)) {
            let draws = random.uniform([weights.count]).values
            var order = weights.indices.sorted { (draws[$0], $0) < (draws[$1], $1) }
            let seated = order.prefix(seats.count).sorted { (-weights[$0], $0) < (-weights[$1], $1) }
            order.removeFirst(seated.count)
            var parts = weights.map { _ in first }
            var lack = shares.map { $0 * total }
            func put(_ group: Int, into part: Int) {
                parts[group] = part
                lack[part] -= Double(weights[group])
            }
            for (group, part) in zip(seated, seats) { put(group, into: part) }
            for group in order { put(group, into: seats.max { (lack[$0], -$0) < (lack[$1], -$1) } ?? first) }
            let error = lack.reduce(0) { $0 + abs($1) }
            if error < best.error { best = (error, parts) }
        }
        return best.parts
    }
}
