import Foundation
import Groundwork
import Testing

@Suite struct AtomicFileTests {
    private func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    @Test func theWholeFileOrNone() throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("a.txt")
            try writeAtomically("one", to: file)
            struct Stop: Error {}
            #expect(throws: Stop.self) {
                try writeAtomically(to: file) { temporary in
                    try Data("two".utf8).write(to: temporary)
                    throw Stop()
                }
            }
            #expect(try String(contentsOf: file, encoding: .utf8) == "one")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.txt"])
        }
    }

    /// Two writers of one file at a time have temporary files of their own.
    @Test func writersDoNotShareATemporaryFile() throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("a.txt")
            try writeAtomically(to: file) { outer in
                try Data("outer".utf8).write(to: outer)
                try writeAtomically("inner", to: file)
                #expect(try String(contentsOf: outer, encoding: .utf8) == "outer")
            }
            #expect(try String(contentsOf: file, encoding: .utf8) == "outer")
        }
    }

    /// Whoever reads while others write sees what one of them wrote, whole.
    @Test func readersSeeWholeFiles() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-\(UUID())")
        try createFolder(folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("a.txt")
        let texts = (0..<5).map { String(repeating: "\($0)", count: 100_000) }
        try writeAtomically(texts[0], to: file)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for text in texts { group.addTask { for _ in 0..<10 { try writeAtomically(text, to: file) } } }
            group.addTask {
                for _ in 0..<200 {
                    let found = try String(contentsOf: file, encoding: .utf8)
                    #expect(found.count == 100_000 && Set(found).count == 1)
                }
            }
            try await group.waitForAll()
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.txt"])
    }

    /// Names may be as long as the file system lets them be.
    @Test func namesMayBeLong() throws {
        try withFolder { folder in
            let name = String(repeating: "n", count: 255)
            try writeAtomically("one", to: folder.appendingPathComponent(name))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [name])
            let failure = #expect(throws: Failure.self) { try writeAtomically("one", to: folder.appendingPathComponent(name + "n")) }
            #expect(failure?.category == .cannotWrite && failure?.remedy == "choose a shorter name")
        }
    }

    @Test func failuresSayWhy() throws {
        try withFolder { folder in
            let missing = folder.appendingPathComponent("missing/a.txt")
            do {
                try writeAtomically("one", to: missing)
                Issue.record("written to a folder that does not exist")
            } catch let failure as Failure {
                #expect(failure.category == .cannotWrite)
                #expect(failure.found == "No such file or directory")
            }
        }
    }
}
