// Certificates for tests, made on the spot.
#ifndef CRIER_TESTS_SUPPORT_CERTIFICATES_H_
#define CRIER_TESTS_SUPPORT_CERTIFICATES_H_

#include <memory>
#include <string>

namespace crier::testing {

// A certificate and its key (P-256), both in PEM. Valid for a day.
struct Certificate {
  std::string certificate;
  std::string key;
};

// `common_name`: of the subject. `alt_names`: as OpenSSL's configuration has them, for example
// "DNS:localhost,IP:127.0.0.1"; empty: none. `issuer`: null: it signs itself, and may sign others.
Certificate MakeCertificate(const std::string& common_name, const std::string& alt_names,
                            const Certificate* issuer = nullptr);

// A folder with files, removed with this object.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  // Writes a file in place of one of the same name, as a whole. Returns its path.
  std::string Write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_CERTIFICATES_H_
