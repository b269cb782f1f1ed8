import TensorCore
import Testing

@Suite struct TensorTests {
    @Test func shapesAndValues() {
        let tensor = Tensor(shape: [2, 3], values: [1, 2, 3, 4, 5, 6])
        #expect(tensor.shape == [2, 3])
        #expect(tensor.count == 6)
        #expect(tensor.values == [1, 2, 3, 4, 5, 6])
        #expect(tensor.extent(-1) == 3)
        #expect(tensor.extent(0) == 2)
        #expect(Tensor(4).shape == [])
        #expect(Tensor(4).item == 4)
        #expect(Tensor(zeros: [2, 2]).values == [0, 0, 0, 0])
        #expect(Tensor(shape: [0, 3], values: []).values == [])
    }

    @Test func accumulatingLeavesCopiesAlone() {
        var sum = Tensor(repeating: 1, shape: [3])
        let before = sum
        sum.accumulate(Tensor(repeating: 2, shape: [3]))
        #expect(sum.values == [3, 3, 3])
        #expect(before.values == [1, 1, 1])
        sum.accumulate(sum)
        #expect(sum.values == [6, 6, 6])
    }

    @Test func oneExtentMayBeFound() {
        let tensor = Tensor(zeros: [2, 3, 4])
        #expect(tensor.reshaped(to: [-1, 4]).shape == [6, 4])
        #expect(tensor.reshaped(to: [-1]).shape == [24])
    }

    @Test func windows() {
        var numbers = TestNumbers(seed: 7)
        let (image, part) = (numbers.normal([1, 6, 7, 2]), numbers.normal([1, 3, 2, 2]))
        var (replaced, added) = (image, image)
        replaced.setWindow(part, row: 2, column: 5)
        added.addWindow(part, row: 3, column: 0)
        func window(_ tensor: Tensor, _ row: Int, _ column: Int) -> Tensor {
            tensor.sliced(axis: 1, range: row..<row + 3).sliced(axis: 2, range: column..<column + 2)
        }
        expectSame(window(replaced, 2, 5), part, "replaced")
        expectSame(window(added, 3, 0), window(image, 3, 0) + part, "added")
        expectSame(replaced.sliced(axis: 2, range: 0..<5), image.sliced(axis: 2, range: 0..<5), "beside what was replaced")
        expectSame(added.sliced(axis: 1, range: 0..<3), image.sliced(axis: 1, range: 0..<3), "above what was added to")
    }

    @Test func storageIsReturnedAndReused() {
        // What one holds is undefined at first; that nobody else holds it is what counts.
        let tensors = (0..<20).map { Tensor(repeating: Float($0), shape: [1000]) }
        for (index, tensor) in tensors.enumerated() { #expect(tensor.values.allSatisfy { $0 == Float(index) }) }
    }
}
