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
        let removed = [".partial-\(dead)-1-ab12", ".model.safetensors.\(dead).partial", ".model.safetensors.\(dead)-3.partial"]
        let kept = [
            ".partial-\(own)-1-ab12", ".model.safetensors.\(own).partial", ".partial-1-2-3", ".partial-0-1-ab12", ".partial-x-1-ab12",
            "model.partial", ".partial-99999999999999999999-1-a", "partial-\(dead)-1-ab12",
        ]
        for name in removed + kept { try Data().write(to: folder.appendingPathComponent(name)) }
        removeLeftovers(in: folder)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == kept.sorted())
        removeLeftovers(in: folder.appendingPathComponent("none"))
    }
}
