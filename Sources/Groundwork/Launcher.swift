/// What started this process as one of several that are to work together, as the environment tells it.
package struct Launcher: Sendable, Equatable {
    /// What the process learns of the others by.
    package enum Interface: Sendable {
        /// Open MPI's own, under its `mpirun`.
        case openMPI
        /// PMIx, as of `srun --mpi=pmix`.
        case pmix
        /// PMI, of MPICH's `mpiexec` and of `srun --mpi=pmi2`.
        case pmi
    }

    package let interface: Interface
    /// The number of this process and how many there are; nil where MPI alone tells.
    package let rank, count: Int?

    /// Nil for a process on its own. Of Slurm's variables those of a batch script, which stands for itself, are like those of a task: a step alone tells them
    /// apart. Below `mpirun` they are those of the batch script in any case.
    /// - Throws: `Failure` (`.usage`) where `srun` started several processes that know nothing of each other.
    package init?(_ environment: [String: String]) throws {
        func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }
        let stepTasks = environment["SLURM_STEP_ID"] == nil ? nil : number("SLURM_STEP_NUM_TASKS")
        if let count = number("OMPI_COMM_WORLD_SIZE"), let rank = number("OMPI_COMM_WORLD_RANK") {
            (interface, self.rank, self.count) = (.openMPI, rank, count)
        } else if let rank = number("PMIX_RANK") {
            (interface, self.rank, count) = (.pmix, rank, stepTasks)
        } else if let rank = number("PMI_RANK"), let count = number("PMI_SIZE") {
            (interface, self.rank, self.count) = (.pmi, rank, count)
        } else if let stepTasks, stepTasks > 1 {
            throw Failure(
                .usage, "srun started \(stepTasks) processes that know nothing of each other", expected: "srun --mpi=pmix, or mpirun",
                remedy: "start them so, or one alone with srun --ntasks=1")
        } else {
            return nil
        }
    }
}
