import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct RegionGroupTests {
    @Test func itemsAreUnitedOtherwiseToo() {
        let groups = RegionGroups.groups([["a"], ["b"], ["a"], [], []]) { isUnited, unite in
            #expect(isUnited(0, 2) && !isUnited(0, 1))
            unite(4, 2)
            #expect(isUnited(0, 4))
        }
        #expect(groups == [[0, 2, 4], [1], [3]])
    }

    @Test func itemsAreUnitedThroughOthers() {
        // 0 and 4 share nothing, but 2 shares a key with each.
        #expect(RegionGroups.groups([["a"], ["b"], ["c", "a"], [], ["c"], ["d", "b"]]) == [[0, 2, 4], [1, 5], [3]])
        // A later item unites groups that were apart.
        #expect(RegionGroups.groups([[1], [2], [3], [4], [4, 1, 3]]) == [[0, 2, 3, 4], [1]])
        #expect(RegionGroups.groups([[Int]]()).isEmpty)
    }

    /// Against the definition: two items are in one group if and only if a chain of shared keys joins them.
    @Test func groupsAreTheConnectedComponents() {
        var state: UInt64 = 7
        func draw(_ bound: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % bound)
        }
        for _ in 0..<50 {
            let keys = (0..<30).map { _ in (0..<draw(3)).map { _ in draw(25) } }
            var label = Array(keys.indices)
            for _ in keys {
                for a in keys.indices {
                    for b in keys.indices where !Set(keys[a]).isDisjoint(with: keys[b]) { label[a] = min(label[a], label[b]) }
                }
            }
            let expected = Dictionary(grouping: keys.indices) { label[$0] }.sorted { $0.key < $1.key }.map { Array($0.value) }
            #expect(RegionGroups.groups(keys) == expected)
        }
    }
}

/// Crops that need no files: each of a source of its own unless told otherwise.
struct SplitExample {
    var sources: [PreparationSource] = []

    /// 2013-05-31 00:00 UTC.
    static let start = 1_369_958_435.0

    /// - Parameters:
    ///   - day: days after ``start``; nil for an unknown time.
    ///   - places: Carrington longitude and latitude of a crop each; nil for an unknown place.
    ///   - half: half the extent of crops in solar radii, by default 5°.
    mutating func add(
        day: Double?, at places: [(Double, Double)?] = [nil], regions: [Region] = [], frames: [CropFrame]? = nil, half: Double = 0.087
    ) {
        let number = sources.count
        let statistics = FieldStatistics(of: Image(width: 2, height: 2, repeating: 1))
        let crops = places.enumerated().compactMap { index, place -> PreparationCrop? in
            statistics.map {
                PreparationCrop(
                    frame: frames?[index] ?? CropFrame(x: 100 * index, y: 0, width: 64, height: 64), statistics: $0, regions: regions,
                    footprint: place.map { CropFootprint(longitude: $0.0, latitude: $0.1, halfWidth: half, halfHeight: half) })
            }
        }
        sources.append(
            PreparationSource(
                number: number, url: URL(filePath: "/\(number).fits"), sha256: "\(number)", instrument: .hmi,
                taiSeconds: day.map { Self.start + 86400 * $0 }, regions: regions, quality: nil, arcsecPerPixel: 0.5, width: 4096, height: 4096,
                isTurned: false, crops: crops))
    }

    func split(_ unit: PreparationOptions.SplitUnit = .region) -> PreparationSplit {
        var options = PreparationOptions()
        options.splitBy = unit
        return PreparationSplit(sources, options: options)
    }
}

@Suite struct PreparationSceneTests {
    private func groups(_ example: SplitExample) -> [[Int]] { example.split().groups }

    @Test func cropsOfOnePlaceStayTogetherWhileItLives() {
        var example = SplitExample()
        example.add(day: 0, at: [(359, 0)])
        example.add(day: 3, at: [(5, 4)])  // 6° further, across the origin of longitudes
        example.add(day: 3, at: [(80, 4)])  // elsewhere
        example.add(day: 3, at: [(359, 40)])  // elsewhere
        example.add(day: 17.5, at: [(357, 0)])  // 14.5 days after the second: another generation
        #expect(groups(example) == [[0, 1], [2], [3], [4]])
        example.add(day: 12, at: [(1, 2)])  // joins what was before and what comes after
        #expect(groups(example) == [[0, 1, 4, 5], [2], [3]])
    }

    /// At latitude 50° the surface falls behind Carrington's frame by 2.0° a day, 24° in 12 days.
    @Test func placesAreCarriedByRotation() {
        let drift = SolarRotation.drift(latitude: 50, seconds: 12 * 86400, in: .carrington)
        #expect(drift < -20)
        var example = SplitExample()
        example.add(day: 0, at: [(100, 50)])
        example.add(day: 12, at: [(100 + drift, 50)])
        example.add(day: 12, at: [(100, 50)])
        #expect(groups(example) == [[0, 1], [2]])
        // The order of the files does not matter.
        var reversed = SplitExample()
        reversed.add(day: 12, at: [(100 + drift, 50)])
        reversed.add(day: 0, at: [(100, 50)])
        #expect(groups(reversed) == [[0, 1]])
    }

    /// Rectangles of 10° about points of the equator and of the parallel of 60°, where 10° of arc are 20° of longitude.
    @Test(arguments: [(0.0, 9.5, true), (0, 10.5, false), (60, 19, true), (60, 21, false)])
    func rectanglesMeetByDistanceOnTheSun(_ latitude: Double, _ apart: Double, _ meet: Bool) {
        func footprint(_ longitude: Double) -> CropFootprint {
            CropFootprint(longitude: longitude, latitude: latitude, halfWidth: sin(5 * Double.pi / 180), halfHeight: sin(5 * Double.pi / 180))
        }
        #expect(footprint(10).meets(footprint(10 + apart), after: 0) == meet)
        #expect(footprint(355 + apart).meets(footprint(355), after: 0) == meet)
        #expect(!footprint(10).meets(footprint(190), after: 0), "the other side of the Sun")
    }

    @Test func cropsOfOneFileMayPartUnlessTheyOverlap() {
        var example = SplitExample()
        let frames = [0, 40, 200].map { CropFrame(x: $0, y: 0, width: 64, height: 64) }
        example.add(day: nil, at: [nil, nil, nil], regions: [], frames: frames)
        #expect(groups(example) == [[0, 1, 2]], "one file without a time or a place")
        example = SplitExample()
        example.add(day: 0, at: [(10, 0), (60, 0), (120, 0)], frames: frames)
        #expect(groups(example) == [[0, 1], [2]], "the first two share pixels")
    }

    @Test func regionsAndPlacesWorkTogether() {
        var example = SplitExample()
        example.add(day: 0, at: [nil], regions: [.noaa(1)])
        example.add(day: 40, at: [(10, 0)], regions: [.noaa(1), .harp(7)])
        example.add(day: 41, at: [(12, 0)])
        example.add(day: 43, at: [nil], regions: [.noaa(2)])
        #expect(groups(example) == [[0, 1, 2], [3]])
    }
}

@Suite struct PreparationSplitTests {
    private let shares = [0.7, 0.15, 0.15]

    private func sums(_ weights: [Int], _ parts: [Int]) -> [Double] {
        var sums = [0, 0, 0]
        for (weight, part) in zip(weights, parts) { sums[part] += weight }
        return sums.map { Double($0) / Double(weights.reduce(0, +)) }
    }

    @Test func sharesAreApproached() {
        let weights = (1...40).map { (number: Int) -> Int in 1000 + number * number * 37 % 997 }
        for seed in [1, 2, 3, 4, 5] as [UInt64] {
            let parts = PreparationSplit.allocate(weights, shares: shares, seed: seed)
            for (sum, share) in zip(sums(weights, parts), shares) { #expect(abs(sum - share) < 0.01) }
            #expect(parts == PreparationSplit.allocate(weights, shares: shares, seed: seed))
        }
        #expect(PreparationSplit.allocate(weights, shares: shares, seed: 1) != PreparationSplit.allocate(weights, shares: shares, seed: 2))
    }

    /// For crops of parts that differ: no common region, no common place within 14 days, by month nothing within a day.
    private func expectApart(_ example: SplitExample, _ unit: PreparationOptions.SplitUnit, sourceLocation: SourceLocation = #_sourceLocation) {
        let split = example.split(unit)
        let placed = split.partOfCrop.map { item, part in
            (source: example.sources[item.source], crop: example.sources[item.source].crops[item.crop], part)
        }
        for (index, a) in placed.enumerated() {
            for b in placed[(index + 1)...] where a.2 != b.2 {
                #expect(Set(a.crop.regions).isDisjoint(with: b.crop.regions), sourceLocation: sourceLocation)
                guard let t = a.source.taiSeconds, let u = b.source.taiSeconds else { continue }
                if unit == .month { #expect(abs(t - u) > 86400, sourceLocation: sourceLocation) }
                guard abs(t - u) <= CropFootprint.lifetime, let f = a.crop.footprint, let g = b.crop.footprint else { continue }
                #expect(!f.meets(g, after: u - t), sourceLocation: sourceLocation)
            }
        }
        #expect(Set(split.partOfCrop.keys).union(split.leftOut.keys.map { split.items[$0] }) == Set(split.items), sourceLocation: sourceLocation)
    }

    /// A year of a full disk every 16 hours, two crops each of 30° to a side at random places seen from the Earth: nearly all hang together through
    /// others.
    private var year: SplitExample {
        var example = SplitExample(), random = Random(seed: 1)
        for number in 0..<540 {
            let day = Double(number) * 2 / 3, meridian = 400 - day * 13.2
            let places = (0..<2).map { _ in
                let longitude = (meridian + Double(random.integer(below: 101)) - 50).truncatingRemainder(dividingBy: 360)
                return (longitude < 0 ? longitude + 360 : longitude, Double(random.integer(below: 81) - 40))
            }
            example.add(day: day, at: places, half: 0.25)
        }
        return example
    }

    @Test func whatHangsTogetherIsCutInTime() {
        let example = year, split = example.split()
        #expect(split.groups.contains { $0.count > 500 })
        let counts = Dictionary(grouping: split.partOfCrop.values) { $0 }.mapValues(\.count)
        let kept = Double(split.partOfCrop.count)
        for (part, share) in zip(PreparationPart.allCases, shares) {
            #expect(abs(Double(counts[part] ?? 0) / kept - share) < 0.08, "\(part) has \(counts[part] ?? 0) of \(kept)")
        }
        #expect(kept > 0.85 * Double(split.items.count) && !split.leftOut.isEmpty)
        expectApart(example, .region)
    }

    @Test func monthsKeepTheirDistance() {
        let example = year, split = example.split(.month)
        #expect(split.groups.count == 13 && !split.leftOut.isEmpty)
        expectApart(example, .month)
        // Where neither region nor place is known, a day is kept between parts.
        var hours = SplitExample()
        for hour in 0..<(75 * 24) where hour % 2 == 0 { hours.add(day: Double(hour) / 24) }
        for unit in [PreparationOptions.SplitUnit.month, .region] {
            let split = hours.split(unit)
            #expect(split.groups.count == 4)
            let parts = split.partOfCrop
            var before: (day: Double, part: PreparationPart)?
            for (index, source) in hours.sources.enumerated() {
                guard let part = parts[split.items[index]], let time = source.taiSeconds else { continue }
                let day = time / 86400
                if let before, before.part != part { #expect(day - before.day > 1) }
                before = (day, part)
            }
            // At each border between parts the 12 or 13 files of one day are lost, no more.
            #expect((12...39).contains(split.leftOut.count))
        }
    }

    @Test func whatCannotBeCutStaysWhole() {
        var example = SplitExample()
        for hour in 0..<50 { example.add(day: Double(hour) / 24, at: [(10, 5)], regions: [.noaa(9)]) }
        let split = example.split()
        #expect(split.groups.count == 1 && split.parts == [.train] && split.leftOut.isEmpty)
    }

    @Test func filesMayTearRegions() {
        var example = SplitExample()
        for day in 0..<40 { example.add(day: Double(day), at: [(10, 5)], regions: [.noaa(9)]) }
        let split = example.split(.file)
        #expect(split.groups.count == 40 && split.leftOut.isEmpty && split.tornRegions == [.noaa(9)])
        #expect(example.split(.region).tornRegions.isEmpty)
    }

    @Test func everyPartGetsAGroupWhileThereAreEnough() {
        // One giant and some dwarfs: the giant is for training.
        let parts = PreparationSplit.allocate([3, 1000, 1, 2], shares: shares, seed: 3)
        #expect(Set(parts) == [0, 1, 2] && parts[1] == 0)
        #expect(PreparationSplit.allocate([5], shares: shares, seed: 1) == [0])
        #expect(Set(PreparationSplit.allocate([5, 9], shares: [0.5, 0.2, 0.3], seed: 1)) == [0, 2])
        #expect(PreparationSplit.allocate([5, 9, 2], shares: [0, 0, 1], seed: 1) == [2, 2, 2])
        #expect(!PreparationSplit.allocate([5, 9, 2, 7, 7], shares: [0.5, 0, 0.5], seed: 1).contains(1))
        #expect(PreparationSplit.allocate([], shares: shares, seed: 1).isEmpty)
    }
}

@Suite struct PreparationOptionsTests {
    @Test func impossibleOptionsAreRefusedByName() {
        let cases: [(String, (inout PreparationOptions) -> Void)] = [
            ("--crop-size", { $0.cropSize = 31 }), ("--crop-size", { $0.cropSize = 1022 }), ("--crops-per-image", { $0.cropsPerImage = 0 }),
            ("--scale", { $0.scale = 1 }), ("--split", { $0.split = [0.7, 0.3] }), ("--split", { $0.split = [0.7, 0.2, 0.2] }),
            ("--split", { $0.split = [1.5, -0.5, 0] }), ("--split", { $0.split = [.nan, 0.5, 0.5] }), ("--min-mu", { $0.minimumMu = 1.5 }),
            ("--min-correlation", { $0.minimumCorrelation = 2 }), ("--mdi-factor", { $0.factor = 0 }), ("--centre noaa", { $0.centre = .noaa }),
        ]
        for (name, change) in cases {
            var options = PreparationOptions()
            change(&options)
            #expect { try options.validate() } throws: { error in
                (error as? Failure)?.category == .usage && (error as? Failure)?.description.contains(name) == true
            }
        }
        #expect(throws: Never.self) { try PreparationOptions().validate() }
    }

    @Test func configurationStaysOneCommentALine() {
        #expect(PreparationOptions().yaml(inputs: ["a\nseed: 9"]).contains("#   a\\nseed: 9\n"))
    }
}
