import Foundation
import Synchronization

/// Messages between the processes that a launcher started, by the MPI library of the system.
///
/// The library is loaded when it is wanted, so that a computer without one runs the same program. MPI fixes no binary interface: handles are addresses of
/// globals in Open MPI, and numbers in MPICH and what follows its interface (Intel MPI, MVAPICH, Cray). Both are known here; the library's own word on its version decides.
/// What is called takes and gives no structure but requests, each by itself, so that an address and a number fit the same place.
///
/// All calls come from one thread, the one that made it (`MPI_THREAD_FUNNELED`): a message moves on while any call is made.
package final class MPI: @unchecked Sendable {
    /// Something under way. What it reads or writes must live until it is done.
    package struct Request {
        fileprivate var handle: UInt
        fileprivate let peer: Int
    }

    private typealias Initialize = @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, CInt, UnsafeMutablePointer<CInt>) -> CInt
    private typealias Query = @convention(c) (UInt, UnsafeMutablePointer<CInt>) -> CInt
    private typealias Describe = @convention(c) (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<CInt>) -> CInt
    private typealias Explain = @convention(c) (CInt, UnsafeMutablePointer<CChar>, UnsafeMutablePointer<CInt>) -> CInt
    private typealias SetHandler = @convention(c) (UInt, UInt) -> CInt
    private typealias Send = @convention(c) (UnsafeRawPointer?, CInt, UInt, CInt, CInt, UInt, UnsafeMutablePointer<UInt>) -> CInt
    private typealias Receive = @convention(c) (UnsafeMutableRawPointer?, CInt, UInt, CInt, CInt, UInt, UnsafeMutablePointer<UInt>) -> CInt
    private typealias Test = @convention(c) (UnsafeMutablePointer<UInt>, UnsafeMutablePointer<CInt>, UnsafeMutableRawPointer?) -> CInt
    private typealias Abort = @convention(c) (UInt, CInt) -> CInt
    private typealias Finalize = @convention(c) () -> CInt

    /// What a library's header defines.
    private struct Constants {
        let world, byte, errorsReturn: UInt
        /// Stands for a status that nobody wants.
        let ignoredStatus: UnsafeMutableRawPointer?
    }

    /// What is loaded, by its name and version.
    package let library: String
    package let rank, count: Int

    private let constants: Constants
    private let beginSending: Send
    private let beginReceiving: Receive
    private let test: Test
    private let explain: Explain
    private let abortAll: Abort
    private let finalize: Finalize

    private static let current = Mutex<MPI?>(nil)

    /// What was started and has not ended.
    package static var running: MPI? { current.withLock { $0 } }

    /// The most bytes of a message: lengths are 32-bit numbers.
    package static let largestMessage = 1 << 30

    /// Loads the library and meets the other processes; ``running`` from then on.
    /// - Throws: `Failure` (`.other`) if there is no library, one of an interface that is not known here, or one that does not go with the launcher.
    package init(_ launcher: Launcher) throws {
        let program = try Self.load(launcher)
        func routine<Routine>(_ name: String, _ type: Routine.Type) throws -> Routine {
            guard let symbol = dlsym(program, name) else { throw Failure(.other, "the MPI library lacks \(name)", remedy: Self.remedy(launcher)) }
            return unsafeBitCast(symbol, to: type)
        }
        var text = [CChar](repeating: 0, count: 1 << 14), length: CInt = 0
        _ = try routine("MPI_Get_library_version", Describe.self)(&text, &length)
        let library = String(decoding: text.prefix(Int(length)).prefix { ![0, 10, 44].contains($0) }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let constants = try Self.constants(program, library, launcher)
        (self.library, self.constants) = (library, constants)
        (beginSending, beginReceiving) = (try routine("MPI_Isend", Send.self), try routine("MPI_Irecv", Receive.self))
        (test, explain) = (try routine("MPI_Test", Test.self), try routine("MPI_Error_string", Explain.self))
        (abortAll, finalize) = (try routine("MPI_Abort", Abort.self), try routine("MPI_Finalize", Finalize.self))
        var provided: CInt = 0
        let funneled: CInt = 1
        guard try routine("MPI_Init_thread", Initialize.self)(nil, nil, funneled, &provided) == 0, provided >= funneled else {
            throw Failure(.other, "MPI does not start", found: library, remedy: Self.remedy(launcher))
        }
        // Errors are told here, by a message of the program's own, instead of ending it within the library.
        _ = try routine("MPI_Comm_set_errhandler", SetHandler.self)(constants.world, constants.errorsReturn)
        func query(_ name: String) throws -> Int {
            var number: CInt = 0
            _ = try routine(name, Query.self)(constants.world, &number)
            return Int(number)
        }
        let count = try query("MPI_Comm_size")
        (rank, self.count) = (try query("MPI_Comm_rank"), count)
        if let expected = launcher.count, expected != count {
            throw Failure(
                .other, "the MPI library does not belong to what started the processes", expected: "\(expected) of them",
                found: "\(count), \(library)",
                remedy: Self.remedy(launcher))
        }
        Self.current.withLock { $0 = self }
    }

    private static func remedy(_ launcher: Launcher) -> String {
        switch launcher.interface {
        case .openMPI: "install Open MPI's library (libopenmpi3 in Debian), the one that mpirun belongs to, or put its folder on LD_LIBRARY_PATH"
        case .pmix: "install an MPI library that was built with PMIx (libopenmpi3 in Debian), or put its folder on LD_LIBRARY_PATH"
        case .pmi: "install MPICH's library (libmpich12 in Debian) or one of its interface; Open MPI starts under mpirun or srun --mpi=pmix"
        }
    }

    private static func load(_ launcher: Launcher) throws -> UnsafeMutableRawPointer {
        let (openMPI, mpich) = (["libmpi.so.40", "libmpi.40.dylib"], ["libmpi.so.12", "libmpich.so.12", "libmpi.12.dylib"])
        let names: [String] =
            switch launcher.interface {
            case .openMPI: openMPI
            case .pmix: openMPI + mpich
            case .pmi: mpich
            }
        // Its plug-ins look for its symbols among those of the whole program.
        for name in names + ["libmpi.so"] { if let library = dlopen(name, RTLD_NOW | RTLD_GLOBAL) { return library } }
        throw Failure(.other, "no MPI library can be loaded", expected: names.joined(separator: " or "), remedy: remedy(launcher))
    }

    private static func constants(_ program: UnsafeMutableRawPointer, _ library: String, _ launcher: Launcher) throws -> Constants {
        func global(_ name: String) -> UInt? { dlsym(program, name).map { UInt(bitPattern: $0) } }
        let isOpenMPI = library.hasPrefix("Open MPI")
        if isOpenMPI, launcher.interface != .pmi, let world = global("ompi_mpi_comm_world"), let byte = global("ompi_mpi_byte"),
            let errorsReturn = global("ompi_mpi_errors_return")
        {
            return Constants(world: world, byte: byte, errorsReturn: errorsReturn, ignoredStatus: nil)
        }
        // The interface that MPICH, Intel MPI, Cray MPT and MVAPICH agreed on in 2013.
        if launcher.interface != .openMPI, ["MPICH", "Intel", "MVAPICH", "CRAY"].contains(where: library.contains) {
            return Constants(
                world: 0x4400_0000, byte: 0x4C00_010D, errorsReturn: 0x5400_0001, ignoredStatus: UnsafeMutableRawPointer(bitPattern: 1))
        }
        throw Failure(
            .other, "the MPI library cannot be used", expected: "Open MPI or MPICH, as the launcher's", found: library, remedy: remedy(launcher))
    }

    /// Begins to send bytes.
    /// - Throws: `Failure` (`.other`) if the other process cannot be reached.
    package func send(_ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int) throws -> Request {
        precondition(bytes.count <= Self.largestMessage, "MPI: a message of \(bytes.count) bytes")
        var request = Request(handle: 0, peer: peer)
        try check(beginSending(bytes.baseAddress, CInt(bytes.count), constants.byte, CInt(peer), CInt(tag), constants.world, &request.handle), peer)
        return request
    }

    /// Begins to receive as many bytes as there is room for, which the other process sends in one message.
    /// - Throws: `Failure` (`.other`) if the other process cannot be reached.
    package func receive(_ bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int) throws -> Request {
        precondition(bytes.count <= Self.largestMessage, "MPI: a message of \(bytes.count) bytes")
        var request = Request(handle: 0, peer: peer)
        try check(beginReceiving(bytes.baseAddress, CInt(bytes.count), constants.byte, CInt(peer), CInt(tag), constants.world, &request.handle), peer)
        return request
    }

    /// Whether something is done; moves all on that is under way.
    /// - Throws: `Failure` (`.other`) if the other process is lost.
    package func isDone(_ request: inout Request) throws -> Bool {
        var flag: CInt = 0
        try check(test(&request.handle, &flag, constants.ignoredStatus), request.peer)
        return flag != 0
    }

    /// Waits. Most libraries keep a processor busy until a message comes; another process of this computer may need it.
    package func wait(_ request: Request) throws {
        var (request, pause) = (request, Pause())
        while try !isDone(&request) { pause.take() }
    }

    private func check(_ code: CInt, _ peer: Int) throws {
        guard code != 0 else { return }
        var text = [CChar](repeating: 0, count: 1 << 12), length: CInt = 0
        _ = explain(code, &text, &length)
        throw Failure(
            .other, "rank \(peer) is lost", found: String(decoding: text.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self),
            remedy: "add --resume to go on from the last checkpoint")
    }

    /// Ends the processes together, in order: none before the first, which may have work left.
    package func finish() {
        Self.current.withLock { $0 = nil }
        var end: UInt8 = 0
        try? withUnsafeMutableBytes(of: &end) { end in
            if rank > 0 { return try wait(try receive(end, from: 0, tag: 0)) }
            for request in try (1..<count).map({ try send(UnsafeRawBufferPointer(end), to: $0, tag: 0) }) { try wait(request) }
        }
        _ = finalize()
    }

    /// Ends all processes at once.
    package func abort(_ status: CInt) { _ = abortAll(constants.world, status) }
}

/// Pauses of one who waits: hardly any at first, a millisecond in the end.
package struct Pause {
    private var taken = 0

    package init() {}

    package mutating func take() {
        taken += 1
        if taken < 200 { sched_yield() } else { usleep(taken < 2000 ? 50 : 1000) }
    }
}
