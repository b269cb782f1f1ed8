import Foundation
import TensorCore
import Testing

/// A file of tensors that `Scripts/make-fixtures.py` wrote.
struct Fixture {
    let file: SafetensorsFile

    /// - Parameter name: the name of a file in `Tests/Fixtures/TensorCore`, without extension.
    init(_ name: String) throws {
        file = try SafetensorsFile(reading: Self.folder.appendingPathComponent("\(name).safetensors"))
    }

    subscript(name: String) -> Tensor {
        get throws { try file.tensor(named: name) }
    }

    /// Whole numbers, which the file holds as floats.
    func integers(_ name: String) throws -> [Int] { try self[name].values.map { Int($0) } }

    /// The names of the cases in the file.
    var cases: Set<String> {
        Set(file.names.filter { $0.hasSuffix(".output") }.map { String($0.dropLast(".output".count)) })
    }

    /// Every file of operations there is.
    static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(12)) }
    }

    private static var folder: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Fixtures/TensorCore").standardizedFileURL
    }
}
