// Times one 3 × 3 convolution of oneDNN in float32, [1, channels, size, size] at padding 1, for compare-pytorch.py, which compiles it:
//
//     onednn-convolution SIZE CHANNELS REPETITIONS winograd|direct
//
// It prints a JSON object: the median of the seconds, the peak of memory, and the implementation that the library chose.
#include <oneapi/dnnl/dnnl.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int main(int count, char **arguments) {
    if (count != 5) return 64;
    const dnnl::memory::dim size = std::atol(arguments[1]), channels = std::atol(arguments[2]);
    const int repetitions = std::atoi(arguments[3]);
    const auto algorithm =
        std::string(arguments[4]) == "winograd" ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
    using tag = dnnl::memory::format_tag;
    const auto type = dnnl::memory::data_type::f32;
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    // The layouts are the library's choice, and the weights are in it: what a network that runs in it alone would see.
    const dnnl::memory::desc image({1, channels, size, size}, type, tag::any), weights({channels, channels, 3, 3}, type, tag::any);
    const dnnl::memory::dims one{1, 1};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::convolution_forward::primitive_desc choice(engine, dnnl::prop_kind::forward_inference, algorithm, image, weights, image, one, one, one);
#else
    const dnnl::convolution_forward::primitive_desc choice(
        {dnnl::prop_kind::forward_inference, algorithm, image, weights, image, one, one, one}, engine);
#endif
    dnnl::memory x(choice.src_desc(), engine), w(choice.weights_desc(), engine), y(choice.dst_desc(), engine);
    for (auto *memory : {&x, &w}) {
        auto *values = static_cast<float *>(memory->get_data_handle());
        const size_t bytes = memory->get_desc().get_size();
        unsigned state = 1;
        for (size_t i = 0; i < bytes / sizeof(float); i++) values[i] = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / (1 << 24) - 0.5f;
    }
    dnnl::convolution_forward convolution(choice);
    std::vector<double> seconds;
    for (int i = 0; i < repetitions + 2; i++) {
        const auto start = std::chrono::steady_clock::now();
        convolution.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}});
        stream.wait();
        if (i >= 2) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(seconds.begin(), seconds.end());
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    std::printf("{\"seconds_median\": %.6f, \"peak_bytes\": %ld, \"implementation\": \"%s\"}\n", seconds[seconds.size() / 2], usage.ru_maxrss * 1024,
                choice.impl_info_str());
}
