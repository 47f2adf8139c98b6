package fr.liane.peer;

import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.binary.api.IBinaryStorageSvc;
import ca.uhn.fhir.jpa.binstore.DatabaseBinaryContentStorageSvcImpl;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.HibernatePropertiesProvider;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirPostgresDialect;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import ca.uhn.fhir.narrative2.NullNarrativeGenerator;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.interceptor.RequestValidatingInterceptor;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import ca.uhn.fhir.validation.IValidatorModule;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import jakarta.persistence.EntityManagerFactory;
import java.util.List;
import java.util.Properties;
import javax.sql.DataSource;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.beans.factory.config.AutowireCapableBeanFactory;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.autoconfigure.elasticsearch.ElasticsearchRestClientAutoConfiguration;
import org.springframework.boot.autoconfigure.quartz.QuartzAutoConfiguration;
import org.springframework.boot.autoconfigure.thymeleaf.ThymeleafAutoConfiguration;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;

/** HAPI FHIR JPA for R4 on PostgreSQL, with the settings of a fair comparison and nothing else. */
@SpringBootApplication(
    exclude = {
      ElasticsearchRestClientAutoConfiguration.class,
      QuartzAutoConfiguration.class,
      ThymeleafAutoConfiguration.class
    })
@Import({
  HapiJpaConfig.class,
  JpaR4Config.class,
  JpaBatch2Config.class,
  Batch2JobsConfig.class,
  ThreadPoolFactoryConfig.class,
  SubscriptionChannelConfig.class,
  SubscriptionSubmitterConfig.class
})
public class HapiPeer {

  public static void main(String[] words) {
    SpringApplication.run(HapiPeer.class, words);
  }

  @Bean
  JpaStorageSettings jpaStorageSettings(
      @Value("${peer.reuse-milliseconds:0}") long reuse,
      @Value("${peer.integrity:true}") boolean integrity) {
    JpaStorageSettings settings = new JpaStorageSettings();
    // A search is executed each time it is asked; 0 keeps no result for others.
    settings.setReuseCachedSearchResultsForMillis(reuse > 0 ? reuse : null);
    settings.setSearchPreFetchThresholds(List.of(13, 503, 2003, -1));
    settings.setEnforceReferentialIntegrityOnWrite(integrity);
    settings.setEnforceReferentialIntegrityOnDelete(integrity);
    settings.setAllowContainsSearches(true);
    settings.setFilterParameterEnabled(true);
    settings.setAllowMultipleDelete(true);
    settings.setResourceClientIdStrategy(JpaStorageSettings.ClientIdStrategyEnum.ANY);
    settings.setResourceServerIdStrategy(JpaStorageSettings.IdStrategyEnum.UUID);
    return settings;
  }

  @Bean
  PartitionSettings partitionSettings() {
    return new PartitionSettings();
  }

  @Bean
  SubscriptionSettings subscriptionSettings() {
    return new SubscriptionSettings();
  }

  @Primary
  @Bean
  HibernatePropertiesProvider hibernatePropertiesProvider() {
    HibernatePropertiesProvider provider = new HibernatePropertiesProvider();
    provider.setDialectForUnitTest(new HapiFhirPostgresDialect());
    return provider;
  }

  @Bean
  IBinaryStorageSvc binaryStorage() {
    return new DatabaseBinaryContentStorageSvcImpl();
  }

  @Primary
  @Bean
  LocalContainerEntityManagerFactoryBean entityManagerFactory(
      DataSource source,
      ConfigurableListableBeanFactory beans,
      FhirContext context,
      JpaStorageSettings settings) {
    LocalContainerEntityManagerFactoryBean factory =
        HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, context, settings);
    factory.setPersistenceUnitName("HAPI_PU");
    factory.setDataSource(source);
    Properties properties = new Properties();
    properties.put("hibernate.dialect", HapiFhirPostgresDialect.class.getName());
    properties.put("hibernate.search.enabled", "false");
    properties.put("hibernate.hbm2ddl.auto", "update");
    properties.put("hibernate.jdbc.batch_size", "20");
    properties.put("hibernate.order_inserts", "true");
    properties.put("hibernate.order_updates", "true");
    properties.put("hibernate.cache.use_query_cache", "false");
    properties.put("hibernate.cache.use_second_level_cache", "false");
    properties.put("hibernate.format_sql", "false");
    factory.setJpaProperties(properties);
    return factory;
  }

  @Primary
  @Bean
  JpaTransactionManager transactionManager(EntityManagerFactory factory) {
    return new JpaTransactionManager(factory);
  }

  @Bean
  RestfulServer restfulServer(
      IFhirSystemDao<?, ?> system,
      IJpaSystemProvider systemProvider,
      ResourceProviderFactory providers,
      JpaStorageSettings settings,
      ISearchParamRegistry parameters,
      IValidationSupport support,
      IValidatorModule validator,
      DatabaseBackedPagingProvider paging,
      @Value("${peer.validate:false}") boolean validate) {
    system.getContext().setNarrativeGenerator(new NullNarrativeGenerator());
    RestfulServer server = new RestfulServer(system.getContext());
    server.registerProviders(providers.createProviders());
    server.registerProvider(systemProvider);
    server.setServerConformanceProvider(
        new JpaCapabilityStatementProvider(server, system, settings, parameters, support));
    paging.setMaximumPageSize(2000);
    server.setPagingProvider(paging);
    server.setDefaultPrettyPrint(false);
    server.setDefaultResponseEncoding(EncodingEnum.JSON);
    if (validate) {
      RequestValidatingInterceptor checking = new RequestValidatingInterceptor();
      checking.setFailOnSeverity(ResultSeverityEnum.ERROR);
      checking.setValidatorModules(List.of(validator));
      server.registerInterceptor(checking);
    }
    return server;
  }

  @Bean
  ServletRegistrationBean<RestfulServer> servlet(
      RestfulServer server, AutowireCapableBeanFactory beans) {
    beans.autowireBean(server);
    ServletRegistrationBean<RestfulServer> registration =
        new ServletRegistrationBean<>(server, "/fhir/*");
    registration.setLoadOnStartup(1);
    return registration;
  }
}
