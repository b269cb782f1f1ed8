import Foundation
import Groundwork
import Testing

@Suite struct OutputFileTests {
    @Test func piecesFollowEachOther() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("sr-output-\(UUID())")
        defer { try? FileManager.default.removeItem(at: url) }
        let large = [UInt8]((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        for _ in 0..<2 {
            do {
                let file = try OutputFile(url)
                try [1, 2, 3].withUnsafeBytes { try file.write(UnsafeRawBufferPointer(rebasing: $0[..<1])) }
                try [UInt8]().withUnsafeBytes { try file.write($0) }
                try large.withUnsafeBytes { try file.write($0) }
            }
            #expect(try Data(contentsOf: url) == Data([1] + large))
        }
    }

    @Test func failuresSayWhy() throws {
        let missing = FileManager.default.temporaryDirectory.appendingPathComponent("sr-none-\(UUID())/a")
        let failure = try #require(throws: Failure.self) { try OutputFile(missing) }
        #expect(failure.category == .cannotWrite && failure.found == "No such file or directory" && failure.location == missing.path)
        #if os(Linux)
            let full = try OutputFile(URL(fileURLWithPath: "/dev/full"))
            let refused = try #require(throws: Failure.self) { try [UInt8](repeating: 0, count: 10).withUnsafeBytes { try full.write($0) } }
            #expect(refused.category == .cannotWrite && refused.found == "No space left on device")
        #endif
    }
}
