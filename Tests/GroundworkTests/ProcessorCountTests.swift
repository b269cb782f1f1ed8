import Groundwork
import Testing

@Suite struct ProcessorCountTests {
    private func quota(_ files: [String: String]) -> Int? { ProcessorCount.quota { files[$0] } }

    @Test func boundProcessorsAreCounted() {
        func bound(_ list: String) -> Int? {
            ProcessorCount.bound { $0 == "/proc/self/status" ? "Name:\tsr\nCpus_allowed_list:\t\(list)\nThreads:\t1\n" : nil }
        }
        #expect(bound("0-3") == 4)
        #expect(bound("0") == 1)
        #expect(bound("0-1,4,6-7") == 5)
        #expect(bound("7-3") == nil)
        #expect(bound("all") == nil)
        #expect(ProcessorCount.bound { _ in nil } == nil)
    }

    @Test func processorsAreSharedOut() {
        #expect(ProcessorCount.usable(sharedBy: 1) == ProcessorCount.usable)
        #expect(ProcessorCount.usable(sharedBy: 2) == max(1, ProcessorCount.usable / 2))
        #expect(ProcessorCount.usable(sharedBy: 1000) == 1)
    }

    @Test func quotasOfVersionTwo() {
        let group = ["/proc/self/cgroup": "0::/system.slice/job\n"]
        #expect(quota(group.merging(["/sys/fs/cgroup/system.slice/job/cpu.max": "250000 100000\n"]) { $1 }) == 2)
        #expect(quota(group.merging(["/sys/fs/cgroup/system.slice/job/cpu.max": "50000 100000\n"]) { $1 }) == 1)
        #expect(quota(group.merging(["/sys/fs/cgroup/system.slice/job/cpu.max": "max 100000\n"]) { $1 }) == nil)
        // The tightest of the group and those above it.
        #expect(
            quota(
                group.merging([
                    "/sys/fs/cgroup/system.slice/job/cpu.max": "800000 100000", "/sys/fs/cgroup/system.slice/cpu.max": "300000 100000",
                ]) { $1 }) == 3)
        // In a container the path may be the host's.
        #expect(quota(group.merging(["/sys/fs/cgroup/cpu.max": "400000 100000"]) { $1 }) == 4)
        #expect(quota(["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "600000 100000"]) == 6)
    }

    @Test func quotasOfVersionOne() {
        let group = ["/proc/self/cgroup": "12:memory:/job\n4:cpu,cpuacct:/slurm/job_5\n"]
        let folder = "/sys/fs/cgroup/cpu/slurm/job_5"
        #expect(quota(group.merging(["\(folder)/cpu.cfs_quota_us": "300000\n", "\(folder)/cpu.cfs_period_us": "100000\n"]) { $1 }) == 3)
        #expect(quota(group.merging(["\(folder)/cpu.cfs_quota_us": "-1\n", "\(folder)/cpu.cfs_period_us": "100000\n"]) { $1 }) == nil)
    }

    @Test func oddFilesSetNoLimit() {
        #expect(quota([:]) == nil)
        #expect(quota(["/proc/self/cgroup": "rubbish\n0::relative\n"]) == nil)
        #expect(quota(["/proc/self/cgroup": "0::/", "/sys/fs/cgroup/cpu.max": "1e400 0"]) == nil)
        #expect(quota(["/proc/self/cgroup": "0::/", "/sys/fs/cgroup/cpu.max": "1e300 1"]) == 1_000_000)
    }

    @Test func whatSlurmGives() {
        #expect(ProcessorCount.ofTask(["SLURM_CPUS_PER_TASK": "12"]) == 12)
        #expect(ProcessorCount.ofTask(["SLURM_CPUS_PER_TASK": "0"]) == nil)
        #expect(ProcessorCount.ofTask(["SLURM_CPUS_PER_TASK": "many"]) == nil)
        #expect(ProcessorCount.ofTask([:]) == nil)
    }
}
