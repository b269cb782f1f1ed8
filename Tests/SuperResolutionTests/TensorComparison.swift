import Foundation
import TensorCore
import Testing

/// max |a − b| / max |b|, or max |a − b| where b is zero everywhere; infinite if anything is not a number or the shapes differ.
func relativeError(_ values: Tensor, _ expected: Tensor) -> Float {
    guard values.shape == expected.shape else { return .infinity }
    let expected = expected.values
    let difference = zip(values.values, expected).reduce(Float(0)) { largest, pair in
        let difference = abs(pair.0 - pair.1)
        return difference.isNaN ? .infinity : max(largest, difference)
    }
    let size = expected.reduce(Float(0)) { max($0, abs($1)) }
    return size > 0 ? difference / size : difference
}

/// Expects equal shapes and values within `tolerance` of the largest expected one.
func expectClose(
    _ values: Tensor?, _ expected: Tensor, _ what: String, tolerance: Float = 1e-4, sourceLocation: SourceLocation = #_sourceLocation
) {
    guard let values else {
        Issue.record("\(what) is missing", sourceLocation: sourceLocation)
        return
    }
    #expect(values.shape == expected.shape, "\(what): shape", sourceLocation: sourceLocation)
    let error = relativeError(values, expected)
    #expect(error <= tolerance, "\(what): relative error \(error)", sourceLocation: sourceLocation)
}

/// Expects the same bits.
func expectSame(_ values: Tensor?, _ expected: Tensor, _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(values?.shape == expected.shape, "\(what): shape", sourceLocation: sourceLocation)
    let isSame = values?.values.map(\.bitPattern) == expected.values.map(\.bitPattern)
    #expect(isSame, "\(what): not the same bits", sourceLocation: sourceLocation)
}

/// Runs `body` with a folder that is gone afterwards.
func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
}
