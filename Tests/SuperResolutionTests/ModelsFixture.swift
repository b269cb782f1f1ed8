import Foundation
import SuperResolution
import TensorCore
import Testing

/// A network's file in `Tests/Fixtures/Models`: weights, inputs, output and all gradients as PyTorch has them.
struct ModelsFixture {
    let file: SafetensorsFile
    /// The prefix of the gradients' names.
    private let gradients: String
    static let weights = "weights."

    /// - Parameter pass: the prefix of a further pass through the same network.
    init(_ name: String, pass: String = "") throws {
        file = try SafetensorsFile(reading: Self.folder.appendingPathComponent("\(name).safetensors"))
        gradients = pass + "gradient."
    }

    subscript(name: String) -> Tensor {
        get throws { try file.tensor(named: name) }
    }

    /// Expects the gradient of every parameter in the store to be there and to agree, each tensor by itself.
    func expectGradients(
        _ gradients: GradientStore, of store: ParameterStore, except missing: Set<String> = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for (name, parameter) in zip(store.names, store.parameters) {
            if missing.contains(name) {
                #expect(gradients[parameter] == nil && !file.contains(self.gradients + name), "gradient of \(name)", sourceLocation: sourceLocation)
                continue
            }
            let expected = store.fromDisk(try self[self.gradients + name], named: name)
            if name.contains("to_qkv") || name.contains("in_proj") {
                expectPacked(gradients[parameter], expected, "gradient of \(name)", sourceLocation: sourceLocation)
            } else if name.hasSuffix("to_k.bias") {
                let queries = try self[self.gradients + name.replacing("to_k", with: "to_q")]
                let size = queries.values.map(abs).max() ?? 0
                let isSmall = { (gradient: Tensor, part: Float) in gradient.values.allSatisfy { abs($0) < part * size } }
                #expect(isSmall(expected, 1e-6), "gradient of \(name): not zero in theory", sourceLocation: sourceLocation)
                let found = try #require(gradients[parameter], sourceLocation: sourceLocation)
                #expect(isSmall(found, 1e-4), "gradient of \(name): \(found.values)", sourceLocation: sourceLocation)
            } else {
                expectClose(gradients[parameter], expected, "gradient of \(name)", sourceLocation: sourceLocation)
            }
        }
    }

    func expectGradient(_ gradient: Tensor?, ofInput name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        expectClose(gradient, try self[gradients + name], "gradient of \(name)", sourceLocation: sourceLocation)
    }

    /// Queries, keys and values are packed in one tensor, but the values' gradient may be much the largest: each is compared by itself.
    ///
    /// A key's bias adds q·b to all scores of a query alike, which the softmax takes out again: its gradient is zero but for rounding,
    /// in PyTorch too, and what counts is that it is small beside the other two.
    private func expectPacked(_ values: Tensor?, _ expected: Tensor, _ what: String, sourceLocation: SourceLocation) {
        guard let values, values.shape == expected.shape else {
            Issue.record("\(what): missing or misshapen", sourceLocation: sourceLocation)
            return
        }
        let third = expected.shape[0] / 3
        for (index, part) in ["queries", "keys", "values"].enumerated() {
            let range = index * third..<(index + 1) * third
            let (found, wanted) = (values.sliced(axis: 0, range: range), expected.sliced(axis: 0, range: range))
            if part == "keys", expected.shape.count == 1 {
                let size = expected.values.map(abs).max() ?? 0
                #expect(wanted.values.allSatisfy { abs($0) < 1e-6 * size }, "\(what), keys: not zero in theory", sourceLocation: sourceLocation)
                #expect(found.values.allSatisfy { abs($0) < 1e-5 * size }, "\(what), keys: \(found.values)", sourceLocation: sourceLocation)
            } else {
                expectClose(found, wanted, "\(what), \(part)", sourceLocation: sourceLocation)
            }
        }
    }

    private static var folder: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../Fixtures/Models").standardizedFileURL
    }
}
