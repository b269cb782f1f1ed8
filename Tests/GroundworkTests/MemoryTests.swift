import Groundwork
import Testing

@Suite struct MemoryTests {
    private func quota(_ files: [String: String]) -> Int? { Memory.quota { files[$0] } }

    @Test func limitsOfVersionTwo() {
        let group = ["/proc/self/cgroup": "0::/system.slice/job\n"]
        #expect(quota(group.merging(["/sys/fs/cgroup/system.slice/job/memory.max": "2147483648\n"]) { $1 }) == 1 << 31)
        #expect(quota(group.merging(["/sys/fs/cgroup/system.slice/job/memory.max": "max\n"]) { $1 }) == nil)
        // The tightest of the group and those above it.
        let both = ["/sys/fs/cgroup/system.slice/job/memory.max": "4294967296", "/sys/fs/cgroup/system.slice/memory.max": "1073741824"]
        #expect(quota(group.merging(both) { $1 }) == 1 << 30)
        #expect(quota(group.merging(["/sys/fs/cgroup/memory.max": "65536"]) { $1 }) == 65536)
    }

    @Test func limitsOfVersionOne() {
        let group = ["/proc/self/cgroup": "12:memory:/slurm/job_5\n4:cpu,cpuacct:/other\n"]
        let file = "/sys/fs/cgroup/memory/slurm/job_5/memory.limit_in_bytes"
        #expect(quota(group.merging([file: "3221225472\n"]) { $1 }) == 3 << 30)
        // What stands there without a limit.
        #expect(quota(group.merging([file: "9223372036854771712\n"]) { $1 }) == nil)
        #expect(quota(["/proc/self/cgroup": "4:cpu,cpuacct:/slurm\n", "/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes": "4096"]) == nil)
    }

    @Test func oddFilesSetNoLimit() {
        #expect(quota([:]) == nil)
        #expect(quota(["/proc/self/cgroup": "0::/", "/sys/fs/cgroup/memory.max": "-1"]) == nil)
        #expect(quota(["/proc/self/cgroup": "0::/", "/sys/fs/cgroup/memory.max": "much"]) == nil)
    }

    @Test func theProcessHoldsSomething() {
        #expect(Memory.peak > 1 << 20 && Memory.limit > 1 << 20)
    }
}
