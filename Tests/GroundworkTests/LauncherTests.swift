import Groundwork
import Testing

/// Which environments make a process one of several.
@Suite struct LauncherTests {
    @Test func processesOnTheirOwn() throws {
        #expect(try Launcher([:]) == nil)
        // A batch script looks like the first of its tasks, but is no step.
        #expect(try Launcher(["SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "8"]) == nil)
        #expect(try Launcher(["SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"]) == nil)
    }

    @Test func launchersAreTold() throws {
        // Below mpirun in a batch script all inherit the number of the script.
        let open = try #require(
            try Launcher(["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "PMIX_RANK": "3", "SLURM_PROCID": "0", "SLURM_NTASKS": "8"]))
        #expect((open.interface, open.rank, open.count) == (.openMPI, 3, 4))
        let pmix = try #require(try Launcher(["PMIX_RANK": "1", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"]))
        #expect((pmix.interface, pmix.rank, pmix.count) == (.pmix, 1, 2))
        #expect(try #require(try Launcher(["PMIX_RANK": "0"])).count == nil)
        let pmi = try #require(try Launcher(["PMI_RANK": "0", "PMI_SIZE": "2"]))
        #expect((pmi.interface, pmi.rank, pmi.count) == (.pmi, 0, 2))
    }

    @Test func processesThatKnowNothingOfEachOtherAreRefused() {
        let failure = #expect(throws: Failure.self) {
            try Launcher(["SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2"])
        }
        #expect(failure?.category == .usage && failure?.description.contains("srun --mpi=pmix") == true)
    }
}
