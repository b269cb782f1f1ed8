import Groundwork
import SuperResolution
import TensorCore
import Testing

/// Gradients that are summed over parts of a batch.
@Suite struct GradientSumTests {
    /// A sum by the tree as it is defined, from the top.
    private func sum(_ values: [Float]) -> Float {
        guard values.count > 1 else { return values[0] }
        var left = 1
        while 2 * left < values.count { left *= 2 }
        return sum(Array(values[..<left])) + sum(Array(values[left...]))
    }

    /// Numbers whose sum depends on its order.
    private func numbers(_ count: Int) -> [Float] {
        var random = Random(seed: 3)
        return (0..<count).map { _ in random.normal([]).item * Float(sign: .plus, exponent: random.integer(below: 20), significand: 1) }
    }

    @Test func sumsDoNotDependOnWhoAdds() throws {
        for count in 1...17 {
            let values = numbers(count)
            let expected = sum(values)
            for ranks in 1...count {
                var whole = TreeSum(count: count)
                for rank in 0..<ranks {
                    let share = MicroBatches(batchSize: count, accumulate: 1, size: 1).share(of: rank, count: ranks)
                    var own = TreeSum(count: count)
                    for part in share { own.add(Tensor(values[part]), of: part..<part + 1) }
                    #expect(own.nodes.map(\.parts) == TreeSum.nodes(of: share, count: count))
                    for node in own.nodes { whole.add(node.sum, of: node.parts) }
                }
                #expect(whole.nodes.map(\.parts) == [0..<count])
                #expect(whole.nodes[0].sum.item == expected, "\(count) parts on \(ranks) ranks")
            }
        }
        // Another order gives another sum, so that the above says something.
        #expect((2...17).contains { sum(numbers($0)) != numbers($0).reduce(0, +) })
    }

    @Test func partsCoverTheBatches() {
        let parts = MicroBatches(batchSize: 5, accumulate: 2, size: 2).parts
        #expect(parts.map(\.batch) == [0, 0, 0, 1, 1, 1])
        #expect(parts.map(\.members) == [0..<2, 2..<4, 4..<5, 0..<2, 2..<4, 4..<5])
        #expect(MicroBatches(batchSize: 5, accumulate: 1, size: nil).parts.map(\.members) == [0..<5])
    }

    /// In parts the gradient is that of the whole batch, to rounding.
    @Test func partsAddUpToTheBatch() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            var configuration = try TrainingExample.configuration(.ddpm)
            configuration.batchSize = 3
            let collection = try TrainingExample.collection(folder)
            let model = try DiffusionTraining.model(configuration, autoencoder: nil, training: collection)
            let task = try DiffusionTraining(configuration, model: model, training: collection, validation: nil)
            func result(_ size: Int?) throws -> GradientSum.Result {
                let sum = try GradientSum(task.store, MicroBatches(batchSize: 3, accumulate: 2, size: size))
                return try sum { try task.loss(batch: 4 + $0.batch, members: $0.members).loss }
            }
            let (whole, cut) = (try result(nil), try result(1))
            #expect(abs(cut.loss - whole.loss) < 1e-5 * whole.loss)
            for (name, parameter) in zip(task.store.names, task.store.parameters) {
                expectClose(try #require(cut.gradients[parameter]), try #require(whole.gradients[parameter]), name, tolerance: 1e-4)
            }
        }
    }

    /// What a loss does not depend on has no gradient, unless a part of the batch depends on it.
    @Test func missingGradientsStayMissing() throws {
        let store = ParameterStore(seed: 1)
        let parameters = ["a", "b", "c"].map { store.root.parameter($0, [2], .constant(1)) }
        let buffer = store.root.buffer("count", Tensor(10))
        let sum = try GradientSum(store, MicroBatches(batchSize: 4, accumulate: 1, size: 1))
        let result = try sum(notes: [1, 0]) { part in
            let index = part.members.lowerBound
            #expect(buffer.value.item == 10)
            buffer.value = buffer.value + Float(index)
            return (index == 2 ? parameters[0].tensor * parameters[1].tensor : parameters[0].tensor).sum() * Float(index)
        }
        // (0 + 1 + 2 + 3) / 4, and 2 / 4
        #expect(result.gradients[parameters[0]]?.values == [1.5, 1.5] && result.gradients[parameters[1]]?.values == [0.5, 0.5])
        #expect(result.gradients[parameters[2]] == nil)
        #expect(result.loss == 3 && result.notes == [1, 0] && buffer.value.item == 11.5)
    }

    @Test func moreRanksThanPartsAreRefused() {
        let parts = MicroBatches(batchSize: 2, accumulate: 1, size: 1)
        #expect((0..<4).map { parts.share(of: $0, count: 4).count }.reduce(0, +) == 2)
        #expect(throws: Failure.self) { try GradientSum(ParameterStore(), MicroBatches(batchSize: 0, accumulate: 1, size: 1)) }
    }
}
