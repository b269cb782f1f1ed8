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
}
