import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

@Suite struct RegionGroupTests {
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
            ("--split", { $0.split = [1.5, -0.5, 0] }), ("--split", { $0.split = [.nan, 0.5, 0.5] }),
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
