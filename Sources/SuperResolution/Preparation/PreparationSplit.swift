import Foundation
import SolarImage
import TensorCore

/// Which part each crop goes into: whole groups at a time, with crops left out where two parts would show the same.
package struct PreparationSplit: Sendable {
    /// A crop by the index of its source and its own in that.
    package struct Item: Sendable, Hashable {
        package let source: Int, crop: Int
    }

    /// All crops of all sources, in order.
    package let items: [Item]
    /// What belongs together: indices of ``items``.
    package private(set) var groups: [[Int]]
    /// The part of each group.
    package private(set) var parts: [PreparationPart] = []
    /// The items that are in no part, though their groups are, and why.
    package private(set) var leftOut: [Int: String] = [:]

    private let scenes: [PreparationScene]
    private let weights: [Int]

    private enum Key: Hashable {
        case region(Region), month(String), file(Int)
    }

    /// The same sources, shares and seed give the same split.
    ///
    /// - By region, crops are in one group that show a common region, a common part of the Sun within ``CropFootprint/lifetime``, or common pixels of a
    ///   file; those of which neither region nor place is known, if they are of one month. Groups grow through others, with many crops of full disks to
    ///   nearly everything: one that is a fifth heavier than the largest part shall be is cut in time, if enough is left of it then.
    /// - By month, crops of one month are in one group.
    /// - By file, those of one file.
    ///
    /// Months and what was cut have neighbours in other parts: crops are left out that show a region or a part of the Sun which a smaller part shows too,
    /// and those taken within 24 hours of one in a smaller part, by month all of them, by region those of which neither region nor place is known.
    package init(_ sources: [PreparationSource], options: PreparationOptions) {
        items = sources.indices.flatMap { source in sources[source].crops.indices.map { Item(source: source, crop: $0) } }
        let scenes = items.map { PreparationScene(sources[$0.source], sources[$0.source].crops[$0.crop]) }
        self.scenes = scenes
        weights = items.map { sources[$0.source].crops[$0.crop].pixels }
        let keys = zip(items, scenes).map { item, scene -> [Key] in
            let source = sources[item.source]
            let month = source.month.map(Key.month) ?? .file(source.number)
            switch options.splitBy {
            case .region: return scene.isPlaced ? scene.regions.map(Key.region) : [month]
            case .month: return [month]
            case .file: return [.file(source.number)]
            }
        }
        groups = RegionGroups.groups(keys) { isUnited, unite in
            guard options.splitBy == .region else { return }
            PreparationScene.forEachMeeting(of: scenes, where: { !isUnited($0, $1) }, unite)
        }
        let total = weights.reduce(0, +)
        let limit = 1.2 * (options.split.max() ?? 1) * Double(total)
        let heavy = options.splitBy == .region ? groups.firstIndex { Double(weight($0)) > limit } : nil
        let slices = heavy.flatMap { cut(groups[$0], options) }
        if let heavy, slices != nil { groups.remove(at: heavy) }
        parts = Self.allocate(groups.map(weight), shares: options.split, seed: options.seed).map { PreparationPart.allCases[$0] }
        for (part, slice) in slices ?? [] {
            groups.append(slice)
            parts.append(part)
        }
        if options.splitBy != .file { leftOut = conflicts(partOfItem, options) }
    }

    private func weight(_ group: [Int]) -> Int { group.reduce(0) { $0 + weights[$1] } }

    private var partOfItem: [PreparationPart?] {
        var part = [PreparationPart?](repeating: nil, count: items.count)
        for (group, own) in zip(groups, parts) { for item in group { part[item] = own } }
        return part
    }

    /// The part of each crop that is in one.
    package var partOfCrop: [Item: PreparationPart] {
        var part: [Item: PreparationPart] = [:]
        for (index, own) in partOfItem.enumerated() where leftOut[index] == nil { part[items[index]] = own }
        return part
    }

    /// Regions that stand in two parts, which splitting by file allows.
    package var tornRegions: [Region] {
        var part: [Region: PreparationPart] = [:]
        var torn: Set<Region> = []
        for (index, own) in partOfItem.enumerated() where leftOut[index] == nil {
            for region in scenes[index].regions where part.updateValue(own ?? .train, forKey: region) ?? own != own { torn.insert(region) }
        }
        return torn.sorted()
    }
}

extension PreparationSplit {
    /// A group as one slice of time for each part. Nil if that cannot be, or would cost more than half of it or most of a part.
    private func cut(_ group: [Int], _ options: PreparationOptions) -> [(part: PreparationPart, items: [Int])]? {
        guard group.allSatisfy({ scenes[$0].taiSeconds != nil }) else { return nil }
        let ordered = group.sorted { (scenes[$0].taiSeconds ?? 0, $0) < (scenes[$1].taiSeconds ?? 0, $1) }
        let total = Double(weight(group))
        let wanted = zip(PreparationPart.allCases, options.split).filter { $0.1 > 0 }
        var part = [PreparationPart?](repeating: nil, count: items.count)
        var (index, share, done) = (0, wanted.first?.1 ?? 1, 0.0)
        for (place, item) in ordered.enumerated() {
            // What was taken at one time stays together.
            let isLater = place > 0 && scenes[item].taiSeconds != scenes[ordered[place - 1]].taiSeconds
            if isLater, done >= share * total, index < wanted.count - 1 {
                index += 1
                share += wanted[index].1
            }
            part[item] = wanted[index].0
            done += Double(weights[item])
        }
        let lost = conflicts(part, options)
        let slices = wanted.map { own, _ in (part: own, items: group.filter { part[$0] == own }) }
        let kept = slices.map { slice in Double(weight(slice.items.filter { lost[$0] == nil })) }
        guard kept.reduce(0, +) >= total / 2, zip(kept, wanted).allSatisfy({ $0 >= $1.1 * total / 4 }) else { return nil }
        return slices
    }

    /// Items that show what an item in a smaller part shows too, with the reasons.
    private func conflicts(_ part: [PreparationPart?], _ options: PreparationOptions) -> [Int: String] {
        var reasons: [Int: String] = [:]
        let order = PreparationPart.allCases.indices.sorted { (-options.split[$0], $0) < (-options.split[$1], $1) }
        let ranks = Dictionary(uniqueKeysWithValues: order.enumerated().map { (PreparationPart.allCases[$1], $0) })
        func rank(_ item: Int) -> Int? { part[item].flatMap { ranks[$0] } }

        var smallest: [Region: PreparationPart] = [:]
        for item in items.indices {
            guard let own = part[item] else { continue }
            for region in scenes[item].regions where (ranks[smallest[region] ?? own] ?? 0) <= (ranks[own] ?? 0) { smallest[region] = own }
        }
        for item in items.indices {
            for region in scenes[item].regions where part[item] != nil {
                guard let other = smallest[region], other != part[item] else { continue }
                reasons[item] = "it shows \(region), and so does the \(other.rawValue) part"
                break
            }
        }

        PreparationScene.forEachMeeting(
            of: scenes,
            where: { a, b in
                guard let first = rank(a), let second = rank(b), first != second else { return false }
                return reasons[first < second ? a : b] == nil
            },
            { a, b in
                let isFirst = (rank(a) ?? 0) < (rank(b) ?? 0)
                reasons[isFirst ? a : b] = "the \(part[isFirst ? b : a]?.rawValue ?? "") part shows the same place on the Sun within 14 days"
            })

        let times = Dictionary(
            grouping: items.indices.filter { part[$0] != nil && (options.splitBy == .month || !scenes[$0].isPlaced) }, by: { part[$0] ?? .train }
        ).mapValues { $0.compactMap { scenes[$0].taiSeconds }.sorted() }
        for item in items.indices where reasons[item] == nil && (options.splitBy == .month || !scenes[item].isPlaced) {
            guard let own = rank(item), let time = scenes[item].taiSeconds else { continue }
            for (other, known) in times.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where (ranks[other] ?? 0) > own {
                // The first that is not more than a day earlier.
                var (low, high) = (0, known.count)
                while low < high {
                    let middle = (low + high) / 2
                    if known[middle] < time - 86400 { low = middle + 1 } else { high = middle }
                }
                if low < known.count, known[low] <= time + 86400 { reasons[item] = "the \(other.rawValue) part has one within 24 hours" }
            }
        }
        return reasons
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
