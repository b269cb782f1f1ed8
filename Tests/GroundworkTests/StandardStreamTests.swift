import Foundation
import Groundwork
import Testing

#if compiler(>=6.2)
    @Suite struct StandardStreamTests {
        /// A pipe that has no room and does not wait is waited for.
        @Test func outputWaitsForRoom() async {
            await #expect(processExitsWith: .success) {
                var ends: [CInt] = [0, 0]
                pipe(&ends)
                let reading = ends[0]
                dup2(ends[1], STDOUT_FILENO)
                close(ends[1])
                _ = fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK)
                let text = String(repeating: "magnetogram\n", count: 100_000)
                let reader = Thread {
                    var (total, buffer) = (0, [UInt8](repeating: 0, count: 1 << 16))
                    while total < text.utf8.count {
                        let count = read(reading, &buffer, buffer.count)
                        if count <= 0 { exit(3) }
                        total += count
                    }
                    exit(0)
                }
                reader.start()
                do { try StandardStream.output(text) } catch { exit(4) }
                sleep(20)
                exit(5)
            }
        }

        @Test func nobodyReadsAnyLonger() async {
            await #expect(processExitsWith: .signal(SIGPIPE)) {
                StandardStream.prepare()
                var ends: [CInt] = [0, 0]
                pipe(&ends)
                dup2(ends[1], STDOUT_FILENO)
                close(ends[0])
                close(ends[1])
                try? StandardStream.output("text")
            }
        }

        @Test func outputThatCannotBeWrittenIsAFailure() async {
            await #expect(processExitsWith: .exitCode(7)) {
                let full = open("/dev/full", O_WRONLY)
                dup2(full, STDOUT_FILENO)
                do {
                    try StandardStream.output("text")
                } catch let failure as Failure {
                    exit(failure.category == .cannotWrite && failure.problem == "standard output cannot be written" ? 7 : 8)
                } catch {
                    exit(9)
                }
            }
        }

        /// In the place of a closed stream comes one that takes nothing, not the next file.
        @Test func closedStreamsAreReplaced() async {
            await #expect(processExitsWith: .exitCode(7)) {
                close(STDOUT_FILENO)
                StandardStream.prepare()
                let next = open("/dev/null", O_WRONLY)
                exit(next > STDERR_FILENO && fcntl(STDOUT_FILENO, F_GETFD) != -1 && write(STDOUT_FILENO, "x", 1) == -1 ? 7 : 8)
            }
        }
    }
#endif
