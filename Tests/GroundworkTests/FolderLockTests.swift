import Foundation
import Groundwork
import Testing

@Suite struct FolderLockTests {
    @Test func oneAtATime() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-lock-\(UUID())")
        try createFolder(folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        do {
            let lock = try FolderLock(folder)
            let failure = try #require(throws: Failure.self) { try FolderLock(folder) }
            #expect(failure.category == .cannotWrite && failure.problem == "another run writes to this folder" && failure.location == folder.path)
            withExtendedLifetime(lock) {}
        }
        _ = try FolderLock(folder)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
        #expect(try #require(throws: Failure.self) { try FolderLock(folder.appendingPathComponent("none")) }.category == .cannotWrite)
    }
}
