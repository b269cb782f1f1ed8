import Foundation
import Groundwork
import Testing

@Suite struct InputFileTests {
    private func withFile(_ bytes: [UInt8], _ body: (URL) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("sr-input-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(bytes).write(to: file)
        try body(file)
    }

    private func bytes(_ file: InputFile, _ range: Range<Int>) throws -> [UInt8] {
        var place = [UInt8](repeating: 99, count: range.count)
        try place.withUnsafeMutableBytes { try file.read(at: range.lowerBound, into: $0) }
        return place
    }

    @Test func readsFromAnyPlace() throws {
        try withFile([1, 2, 3, 4, 5]) { url in
            let file = try InputFile(url)
            #expect(file.size == 5)
            #expect(try bytes(file, 3..<5) == [4, 5] && bytes(file, 0..<5) == [1, 2, 3, 4, 5] && bytes(file, 5..<5) == [])
        }
    }

    @Test func aFileThatBecomesShorterIsNoticed() throws {
        try withFile([1, 2, 3, 4, 5]) { url in
            let file = try InputFile(url)
            truncate(url.path, 2)
            let failure = try #require(throws: Failure.self) { try bytes(file, 1..<5) }
            #expect(failure.category == .badData && failure.location == url.path && failure.found == "2")
        }
    }

    @Test func whatIsNoFileIsRefused() throws {
        let folder = FileManager.default.temporaryDirectory
        #expect(try #require(throws: Failure.self) { try InputFile(folder) }.category == .badData)
        let pipe = folder.appendingPathComponent("sr-pipe-\(UUID().uuidString)")
        try #require(mkfifo(pipe.path, 0o600) == 0)
        defer { try? FileManager.default.removeItem(at: pipe) }
        #expect(try #require(throws: Failure.self) { try InputFile(pipe) }.category == .badData, "and nobody waits for a writer")
        let absent = folder.appendingPathComponent("absent-\(UUID().uuidString)")
        #expect(try #require(throws: Failure.self) { try InputFile(absent) }.category == .missingInput)
    }
}
