package oracle;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import ca.uhn.fhir.validation.ValidationOptions;
import ca.uhn.fhir.validation.ValidationResult;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirDefaultPolicyAdvisor;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r4.model.CodeSystem;
import org.hl7.fhir.r4.model.Resource;
import org.hl7.fhir.r4.model.StructureDefinition;
import org.hl7.fhir.r4.model.ValueSet;
import org.hl7.fhir.r5.utils.validation.IResourceValidator;
import org.hl7.fhir.r5.utils.validation.IValidationPolicyAdvisor;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;
import org.hl7.fhir.utilities.npm.NpmPackage;

/**
 * Reads lines {"id", "profiles": [url], "resource": "text"} and writes lines
 * {"id", "valid", "issues": [{severity, path, rule, text}]}. Arguments: package files to load.
 */
public final class Oracle {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Oracle() {}

  public static void main(String[] packages) throws Exception {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    System.setOut(System.err);
    FhirValidator validator = validator(packages);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      if (!line.isBlank()) {
        out.println(JSON.writeValueAsString(answer(validator, JSON.readTree(line))));
      }
    }
  }

  private static FhirValidator validator(String[] packages) throws Exception {
    FhirContext context = FhirContext.forR4();
    UnknownCodeSystemWarningValidationSupport unknown =
        new UnknownCodeSystemWarningValidationSupport(context);
    ValidationSupportChain chain =
        new ValidationSupportChain(
            new DefaultProfileValidationSupport(context),
            loaded(context, packages),
            new CommonCodeSystemsTerminologyService(context),
            new InMemoryTerminologyServerValidationSupport(context),
            new SnapshotGeneratingValidationSupport(context),
            unknown);
    FhirInstanceValidator module = new FhirInstanceValidator(chain);
    module.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
    module.setAnyExtensionsAllowed(true);
    module.setErrorForUnknownProfiles(false);
    module.setAssumeValidRestReferences(true);
    module.setValidatorPolicyAdvisor(new TypesOfTargets());
    module.setValidatorResourceFetcher(new Nothing());
    return context.newValidator().registerValidatorModule(module);
  }

  /** The type a reference names is checked although nothing can be fetched. */
  private static final class TypesOfTargets extends FhirDefaultPolicyAdvisor {
    @Override
    public ReferenceValidationPolicy policyForReference(
        IResourceValidator validator,
        Object context,
        String path,
        String url,
        IValidationPolicyAdvisor.ReferenceDestinationType destination) {
      return ReferenceValidationPolicy.CHECK_TYPE_IF_EXISTS;
    }
  }

  private static PrePopulatedValidationSupport loaded(FhirContext context, String[] packages)
      throws Exception {
    PrePopulatedValidationSupport support = new PrePopulatedValidationSupport(context);
    for (String path : packages) {
      try (InputStream file = new FileInputStream(path)) {
        NpmPackage archive = NpmPackage.fromPackage(file);
        for (String name :
            archive.listResources("StructureDefinition", "ValueSet", "CodeSystem")) {
          try (InputStream content = archive.loadResource(name)) {
            add(support, (Resource) context.newJsonParser().parseResource(content));
          }
        }
      }
    }
    return support;
  }

  private static void add(PrePopulatedValidationSupport support, Resource resource) {
    if (resource instanceof StructureDefinition) {
      support.addStructureDefinition(resource);
    } else if (resource instanceof ValueSet) {
      support.addValueSet(resource);
    } else if (resource instanceof CodeSystem) {
      support.addCodeSystem(resource);
    }
  }

  private static ObjectNode answer(FhirValidator validator, JsonNode question) {
    ObjectNode answer = JSON.createObjectNode();
    answer.set("id", question.get("id"));
    ArrayNode issues = answer.putArray("issues");
    boolean valid = true;
    try {
      ValidationOptions options = new ValidationOptions();
      if (question.has("profiles")) {
        question.get("profiles").forEach(profile -> options.addProfile(profile.asText()));
      }
      String text = question.get("resource").asText();
      ValidationResult result = validator.validateWithResult(text, options);
      for (SingleValidationMessage message : result.getMessages()) {
        valid &= message.getSeverity().compareTo(ResultSeverityEnum.ERROR) < 0;
        ObjectNode issue = issues.addObject();
        issue.put("severity", message.getSeverity().getCode());
        issue.put("path", message.getLocationString());
        issue.put("rule", message.getMessageId());
        issue.put("text", message.getMessage());
      }
    } catch (Exception problem) {
      valid = false;
      ObjectNode issue = issues.addObject();
      issue.put("severity", "fatal");
      issue.put("text", String.valueOf(problem));
    }
    answer.put("valid", valid);
    return answer;
  }
}
