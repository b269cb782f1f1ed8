import Groundwork
import Testing

@Suite struct MemorySizeTests {
    @Test(arguments: [
        ("1GiB", 1 << 30), ("512MiB", 512 << 20), ("1.5 GiB", 3 << 29), ("2GB", 2_000_000_000), ("64kB", 64_000), ("3KiB", 3072), ("0B", 0),
        ("1TiB", 1 << 40), ("7MB", 7_000_000), ("0.5TB", 500_000_000_000), ("12B", 12),
    ]) func sizesWithUnits(text: String, bytes: Int) {
        #expect(MemorySize(text)?.bytes == bytes)
    }

    @Test(arguments: ["", "1", "GiB", "-1GiB", "1 gib", "1G", "infGiB", "nanB", "1e30TiB", "2MiB GiB", "1,5GiB", " 1GiB"]) func otherTexts(
        text: String
    ) {
        #expect(MemorySize(text) == nil)
    }

    @Test func forPeople() {
        #expect("\(MemorySize(bytes: 1 << 30))" == "1GiB" && "\(MemorySize(bytes: 3 << 29))" == "1.5GiB" && "\(MemorySize(bytes: 0))" == "0KiB")
        #expect("\(MemorySize(bytes: 512 << 20))" == "512MiB")
    }

    @Test func limitsOfControlGroups() {
        func limit(_ files: [String: String]) -> Int? { MemorySize.controlGroup { files[$0] } }
        let unified = ["/proc/self/cgroup": "0::/slurm/job\n"]
        #expect(limit(unified.merging(["/sys/fs/cgroup/slurm/job/memory.max": "1073741824\n"]) { $1 }) == 1 << 30)
        #expect(limit(unified.merging(["/sys/fs/cgroup/slurm/job/memory.max": "max\n"]) { $1 }) == nil)
        // The tightest of the group and those above it.
        #expect(
            limit(
                unified.merging(["/sys/fs/cgroup/slurm/job/memory.max": "max", "/sys/fs/cgroup/slurm/memory.max": "4096"]) { $1 }) == 4096)
        let old = ["/proc/self/cgroup": "5:cpu:/job\n4:memory:/job\n"]
        #expect(limit(old.merging(["/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "8192\n"]) { $1 }) == 8192)
        #expect(limit(old.merging(["/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "9223372036854771712\n"]) { $1 }) == nil)
        #expect(limit([:]) == nil)
        #expect(MemorySize.usable.bytes > 1 << 20)
    }
}
