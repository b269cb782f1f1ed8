import Foundation
import Groundwork
import Testing

@Suite struct LeftoversTests {
    /// Of temporary files those go whose writers are dead.
    @Test func filesOfDeadProcesses() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-leftovers-\(UUID())")
        try createFolder(folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "exit 0"]
        try process.run()
        process.waitUntilExit()
        let (dead, own) = (process.processIdentifier, ProcessInfo.processInfo.processIdentifier)
        let host = try #require(hostName())
        let removed = [
            ".partial-\(dead)-1-ab12", ".partial-\(dead)-2-ab12-\(host)", ".model.safetensors.\(dead).partial",
            ".model.safetensors.\(dead)-3.partial",
        ]
        let kept = [
            ".partial-\(own)-1-ab12", ".partial-\(own)-2-ab12-\(host)", ".partial-\(dead)-2-ab12-\(host)x", ".model.safetensors.\(own).partial",
            ".partial-1-2-3", ".partial-0-1-ab12", ".partial-x-1-ab12",
            "model.partial", ".partial-99999999999999999999-1-a", "partial-\(dead)-1-ab12",
        ]
        for name in removed + kept { try Data().write(to: folder.appendingPathComponent(name)) }
        removeLeftovers(in: folder)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == kept.sorted())
        removeLeftovers(in: folder, ofOtherComputers: true)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == kept.filter { !$0.hasSuffix("\(host)x") }.sorted())
        removeLeftovers(in: folder.appendingPathComponent("none"))
    }

    /// Where outputs go, they are swept first.
    @Test func foldersOfOutputs() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sr-leftovers-\(UUID())")
        try createFolder(folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        // No process has so high a number.
        for name in [".partial-2147483647-1-ab12", "kept"] { try Data().write(to: folder.appendingPathComponent(name)) }
        try createFolder(folder)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["kept"])
        try writeAtomically(to: folder.appendingPathComponent("kept")) { temporary in
            #expect(temporary.lastPathComponent.hasSuffix("-\(hostName() ?? "")"))
            try Data([1]).write(to: temporary)
        }
    }
}
